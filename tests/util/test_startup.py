"""What is set before JAX starts, each time in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_program_that_was_cut_is_dropped_from_the_cache(tmp_path: Path) -> None:
    """JAX warns of one that has no date, and keeps no other."""
    cache = tmp_path / "edgerl" / "xla"
    cache.mkdir(parents=True)
    for name in ("cut-1-cache", "whole-2-cache", "whole-2-atime", "new-3-cache"):
        (cache / name).write_bytes(bytes(8))
    for name in ("cut-1-cache", "whole-2-cache"):
        os.utime(cache / name, (0, 0))
    (cache / "new-3-cache").touch()
    fresh("import edgerl", XDG_CACHE_HOME=str(tmp_path))
    assert sorted(path.name for path in cache.iterdir()) == ["new-3-cache", "whole-2-atime", "whole-2-cache"]
