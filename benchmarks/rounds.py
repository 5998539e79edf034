"""The referee's side of a benchmark: contestants in processes of their own, measured in turns."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peers

SCRIPTS = Path(__file__).resolve().parent / "contestants"
Numbers = dict[str, Any]


class ContestantError(Exception):
    """A contestant failed; the message is its error, in one line."""


@dataclass(frozen=True)
class Contestant:
    """Who takes part, and how.

    Attributes:
      name: as it appears in the report.
      script: file in `contestants/`.
      candidates: settings to choose the fastest of.
      peer: whose environment it runs in (`peers/NAME.txt`); None: this one.
      environment: variables of its process, which are set before its libraries start.
      install: whether to install the peer if it is absent.
      most_rounds: in which it takes part, where a repeat takes long; None: all.
    """

    name: str
    script: str
    candidates: tuple[Numbers, ...]
    peer: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    install: bool = True
    most_rounds: int | None = None


class Worker:
    """A contestant's process. Use as a context manager."""

    def __init__(self, python: str, script: Path, environment: Mapping[str, str]) -> None:
        # JAX's settings are each contestant's own business: none is inherited. Nor is this Python's path by another.
        foreign = ("JAX_", "XLA_") if python == sys.executable else ("JAX_", "XLA_", "PYTHON")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, **environment},
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def prepare(self, settings: Numbers, timeout: float = 300) -> Numbers:
        """Has it compile for `settings`."""
        return self._ask({"do": "prepare", "settings": settings}, timeout)

    def run(self, timeout: float = 300, **arguments: Any) -> Numbers:
        """One repeat: what it did and how long it took."""
        return self._ask({"do": "run", "arguments": arguments}, timeout)

    def _ask(self, request: Numbers, timeout: float) -> Numbers:
        killed = threading.Timer(timeout, self._process.kill)
        killed.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            killed.cancel()
        if not line:
            raise ContestantError(self._last_words(timeout))
        answer = json.loads(line)
        if "absent" in answer:
            raise peers.PeerAbsentError(answer["absent"])
        if "error" in answer:
            raise ContestantError(answer["error"])
        return answer

    def _last_words(self, timeout: float) -> str:
        status = self._process.wait()
        self._reader.join()
        words = self._errors[-1] if self._errors else f"no answer within {timeout:.0f} s" if status == -9 else ""
        return f"its process ended (status {status}){f': {words}' if words else ''}"

    def _drain(self) -> None:
        """Keeps the last lines of standard error, and its pipe from filling up."""
        for line in self._process.stderr:
            if line.strip():
                self._errors = [*self._errors[-20:], line.strip()]


@contextlib.contextmanager
def started(contestant: Contestant, offline: bool = False) -> Iterator[Worker]:
    """The contestant's process.

    Raises:
      PeerAbsentError: it is not installed and cannot or should not be.
    """
    python = sys.executable
    if contestant.peer is not None:
        python = peers.interpreter(contestant.peer, install=contestant.install and not offline)
    with Worker(python, SCRIPTS / contestant.script, contestant.environment) as worker:
        yield worker


def measure(
    contestants: Sequence[Contestant],
    choose: Callable[[Worker, Contestant], tuple[Numbers, list[Numbers]]],
    repeats: Sequence[Numbers],
    log: Callable[[str], None],
    offline: bool = False,
) -> dict[str, Numbers]:
    """Has each contestant find its best settings, then all of them run in turns: A B C A B C ….

    Args:
      choose: from a worker to (settings to run with, what was tried).
      repeats: the arguments of each round's run.
      log: told what is going on.
    Returns:
      For each name `settings`, `compile_s`, `info`, `search` and `repeats`; or `absent` or `failed` with the reason.
    """
    results: dict[str, Numbers] = {contestant.name: {} for contestant in contestants}
    workers: dict[str, Worker] = {}
    with contextlib.ExitStack() as stack:
        for contestant in contestants:
            with _recorded(results[contestant.name], contestant.name, log):
                worker = stack.enter_context(started(contestant, offline))
                settings, search = choose(worker, contestant)
                results[contestant.name] |= {"settings": settings, **worker.prepare(settings), "search": search}
                results[contestant.name]["repeats"] = []
                workers[contestant.name] = worker
        for number, arguments in enumerate(repeats):
            taking_part = {c.name for c in contestants if c.most_rounds is None or number < c.most_rounds}
            for name in [name for name in workers if name in taking_part]:
                with _recorded(results[name], name, log):
                    results[name]["repeats"].append(workers[name].run(**arguments))
                if "failed" in results[name]:
                    del workers[name], results[name]["repeats"]
            log(f"round {number + 1} of {len(repeats)} done")
    return results


@contextlib.contextmanager
def _recorded(result: Numbers, name: str, log: Callable[[str], None]) -> Iterator[None]:
    """Writes down why a contestant does not take part, instead of dropping it."""
    try:
        yield
    except peers.PeerAbsentError as error:
        result["absent"] = str(error)
        log(f"{name} is absent: {error}")
    except ContestantError as error:
        result["failed"] = str(error)
        log(f"{name} failed: {error}")
