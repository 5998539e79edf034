"""What is set before JAX starts, each time in a fresh process."""

import os
import random
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from edgerl.util import kept_programs

SHOW = "import jax, json; c = jax.config; print(json.dumps([c.jax_compilation_cache_dir, len(jax.devices())]))"


def fresh(code: str, **environment: str) -> str:
    """Standard output of Python code in a process that has none of JAX's variables but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "XLA"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **environment})
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


def test_compiled_programs_are_kept_in_the_users_cache(tmp_path: Path) -> None:
    code = f"import edgerl, jax; jax.jit(lambda x: x + 1)(1.0).block_until_ready(); {SHOW}"
    settings = {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    assert fresh(code, **settings).startswith(f'["{tmp_path}/edgerl/xla"')
    assert any((tmp_path / "edgerl" / "xla").iterdir())
    assert not fresh(f"import edgerl; {SHOW}", XDG_CACHE_HOME=str(tmp_path)).startswith("[null")


def test_what_the_user_has_set_stays() -> None:
    assert fresh(f"import edgerl; {SHOW}", JAX_COMPILATION_CACHE_DIR="", JAX_NUM_CPU_DEVICES="3") == '["", 3]'


def test_nothing_changes_where_jax_is_there_already(tmp_path: Path) -> None:
    assert fresh(f"import jax, edgerl; {SHOW}", XDG_CACHE_HOME=str(tmp_path)) == "[null, 1]"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").write_text("")
    assert fresh(f"import edgerl; {SHOW}", XDG_CACHE_HOME=str(tmp_path / home)).startswith("[null")


def program(cache: Path, name: str, data: bytes, age: float) -> Path:
    path = cache / f"{name}-cache"
    path.write_bytes(data)
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_program_that_was_cut_is_dropped_from_the_cache(tmp_path: Path, zipped: bool) -> None:
    """JAX warns of it each time, and never replaces it."""
    cache = tmp_path / "edgerl" / "xla"
    cache.mkdir(parents=True)
    whole = zlib.compress(random.Random(0).randbytes(1000)) if zipped else b"another packer's"
    program(cache, "whole-1", whole, 100)
    cut = [program(cache, f"cut-{i}", whole[:i] if zipped else b"", 100) for i in (0, 1, 2, 500, len(whole) - 1)]
    program(cache, "new-2", whole[:100], 1)  # is being written
    fresh("import edgerl", XDG_CACHE_HOME=str(tmp_path))
    assert sorted(path.name for path in cache.glob("*-cache")) == ["new-2-cache", "whole-1-cache"]
    assert not any(path.exists() for path in cut)


def test_the_programs_used_longest_ago_go_when_there_are_too_many(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_programs, "BYTES", 800)
    for i in range(10):
        program(tmp_path, str(i), zlib.compress(bytes(10)).ljust(100), 1000 - i)
    kept_programs.look_after(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*-cache")) == [f"{i}-cache" for i in range(3, 10)]
