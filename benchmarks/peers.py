"""Environments for the peers that EdgeRL is compared with: one each, since their requirements conflict.

    python benchmarks/peers.py                  # installs all of them
    python benchmarks/peers.py rejax envpool    # installs these

A peer's versions are in `peers/NAME.txt`. Where the Python that runs the benchmark has exactly these, it is used; else
a virtual environment under `EDGERL_PEERS` (default: `~/.cache/edgerl/peers`), made by pip from the index that pip is
configured for.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LISTS = Path(__file__).resolve().parent / "peers"
PIP = ("-m", "pip", "--disable-pip-version-check", "-q", "--retries", "1", "--timeout", "20", "install")


class PeerAbsentError(Exception):
    """The peer cannot be run here; the message says why, and how it is installed."""


def names() -> tuple[str, ...]:
    """All known peers, sorted."""
    return tuple(sorted(path.stem for path in LISTS.glob("*.txt")))


def requirements(name: str) -> dict[str, str]:
    """Package to version, of a peer's list."""
    lines = (LISTS / f"{name}.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def folder(name: str) -> Path:
    """Where the peer's environment is or will be."""
    root = os.environ.get("EDGERL_PEERS") or Path.home() / ".cache" / "edgerl" / "peers"
    return Path(root) / name


def interpreter(name: str, install: bool) -> str:
    """The Python that has the peer.

    Args:
      install: whether to make the environment if there is none.
    Raises:
      PeerAbsentError: it is not installed, or could not be.
    """
    if _satisfied_here(name):
        return sys.executable
    python = folder(name) / "bin" / "python"
    if _complete(name):
        return str(python)
    if not install:
        pins = " ".join(f"{package}=={wanted}" for package, wanted in requirements(name).items())
        raise PeerAbsentError(f"not installed: `python benchmarks/peers.py {name}` ({pins})")
    _install(name)
    return str(python)


def _satisfied_here(name: str) -> bool:
    try:
        return all(version(package) == wanted for package, wanted in requirements(name).items())
    except PackageNotFoundError:
        return False


def _mark(name: str) -> Path:
    return folder(name) / "installed.txt"


def _complete(name: str) -> bool:
    mark = _mark(name)
    return mark.is_file() and mark.read_text() == (LISTS / f"{name}.txt").read_text()


def _install(name: str) -> None:
    target, wanted = folder(name), LISTS / f"{name}.txt"
    print(f"peers: installing {name} into {target} (once) …", file=sys.stderr, flush=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target.parent / f".{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _complete(name):  # another process was faster
                return
            shutil.rmtree(target, ignore_errors=True)
            _call(name, sys.executable, "-m", "venv", str(target))
            _call(name, str(target / "bin" / "python"), *PIP, "-r", str(wanted))
            _mark(name).write_text(wanted.read_text())
    except OSError as error:
        raise PeerAbsentError(f"{name} could not be installed: {error}") from error


def _call(name: str, *command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")] or done.stdout.splitlines()
        raise PeerAbsentError(f"{name} could not be installed: {errors[-1] if errors else done.returncode}")


def main() -> int:
    """Installs the peers named on the command line."""
    parser = argparse.ArgumentParser(
        description="Install the peers that benchmarks compare with, each into an environment of its own.",
        epilog="example: python benchmarks/peers.py rejax",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(names())}; default: all")
    wanted = parser.parse_args().names or names()
    if unknown := sorted(set(wanted) - set(names())):
        parser.error(f"unknown peer '{unknown[0]}'; known: {', '.join(names())}")
    failed = 0
    for name in wanted:
        try:
            print(f"{name}: {interpreter(name, install=True)}")
        except PeerAbsentError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
