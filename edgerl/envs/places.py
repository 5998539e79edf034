"""Environments by the place where they are made: `module:callable`, `file.py:callable`, `gymnax:ID`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgerl.util.errors import UserError

if TYPE_CHECKING:  # importing it would import JAX
    from edgerl.envs.environment import Environment

FORMS = "'module:callable', 'file.py:callable' or 'gymnax:ID'"


def is_place(what: str) -> bool:
    """Whether a name is a place rather than a registered id."""
    return ":" in what


def make_at(what: str, options: dict[str, Any]) -> Environment:
    """What the callable returns, an environment of gymnax adapted.

    Args:
      what: a place; a file's is taken from the working directory.
      options: keyword arguments of the callable.
    Raises:
      UserError: no such file, module or name; it fails while it is imported or called (with the place and the error's
        own line); or what it returns is no environment.
    """
    where, _, name = what.rpartition(":")
    if not where or not name:
        raise UserError(f"'{what}' names no environment; expected {FORMS}")
    if where == "gymnax":
        return _of_gymnax(name)
    found: Any = _file(Path(where), what) if where.endswith(".py") else _module(where, what)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        names = ", ".join(n for n, x in vars(found).items() if callable(x) and not n.startswith("_"))
        raise UserError(f"{what}: there is no '{name}' in {where}; it has {names or 'nothing to call'}") from error
    return _environment(_called(found, options, what), what)


def _of_gymnax(name: str) -> Environment:
    try:
        import gymnax
    except ImportError as error:
        raise UserError(f"gymnax:{name}: gymnax is not installed: pip install 'edgerl[gymnax]'") from error
    if name not in gymnax.registered_envs:
        import difflib

        near = difflib.get_close_matches(name, gymnax.registered_envs, 1)
        hint = f"did you mean 'gymnax:{near[0]}'? It" if near else "it"
        raise UserError(f"gymnax has no environment '{name}'; {hint} has {', '.join(gymnax.registered_envs)}")
    from edgerl.envs.adapters.gymnax_adapter import from_gymnax

    return from_gymnax(name)


def _module(name: str, what: str) -> ModuleType:
    _look_in(Path.cwd())  # as `python -m` would; the command `edgerl` looks beside itself only
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(f"{what}: there is no module '{error.name}'; expected {FORMS}") from error
        raise _failed(what, "cannot be imported", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(what, "cannot be imported", error) from error


def _file(path: Path, what: str) -> ModuleType:
    """The module of a file; one and the same as long as the file is the same."""
    try:
        whole = path.resolve(strict=True)
        text = whole.read_bytes()
    except OSError as error:
        raise UserError(f"{what}: cannot read {path}: {error.strerror}") from error
    name = f"{path.stem}_{hashlib.sha256(str(whole).encode() + text).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, whole)
    assert spec is not None  # for a file of Python always
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    _look_in(whole.parent)  # as `python file.py` would: it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _failed(what, "cannot be imported", error) from error
    return module


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _called(found: Any, options: dict[str, Any], what: str) -> Any:
    """What a class or a function returns; an environment itself is one already."""
    if not isinstance(found, type) and hasattr(found, "reset") and hasattr(found, "step"):
        return found
    if not callable(found):
        raise UserError(f"{what}: it is a {type(found).__name__}; expected a class or a function without arguments")
    try:
        return found(**options)
    except UserError:
        raise
    except Exception as error:
        raise _failed(what, "fails when it is called", error) from error


def _environment(made: Any, what: str) -> Environment:
    from edgerl.envs.adapters.gymnax_adapter import from_gymnax
    from edgerl.envs.instance import checked

    if made is None:
        raise UserError(f"{what}: it returns None; expected an environment")
    first = made[0] if isinstance(made, tuple) and made else made  # gymnax.make returns its parameters, too
    if hasattr(first, "step_env") and hasattr(first, "reset_env"):
        return from_gymnax(first)
    return checked(made, what)


def _failed(what: str, how: str, error: BaseException) -> UserError:
    """The error's last line, with the file and the line of the program where it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        place, text = f"{error.filename}:{error.lineno}: ", error.msg
    else:
        text = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")
    return UserError(f"{what}: it {how}: {place}{type(error).__name__}: {text}")
