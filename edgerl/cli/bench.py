"""`edgerl bench`: runs one script of the folder `benchmarks/` with this interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import edgerl
from edgerl.util.errors import UserError

_FORMATS = (".png", ".svg", ".pdf")


def run(what: str, as_json: bool, figure: str | None = None, env: str | None = None) -> int:
    """Its output is passed through; returns its exit status."""
    if env is not None and what != "ppo":
        raise UserError(f"--env {env}: only 'bench ppo' runs in one environment alone, not 'bench {what}'")
    if figure is not None:
        _check_figure(Path(figure))
    package = Path(edgerl.__file__).parent
    # Inside an installed wheel, or beside the package in a checkout.
    scripts = [folder / f"{what}.py" for folder in (package / "_benchmarks", package.parent / "benchmarks")]
    script = next((path for path in scripts if path.is_file()), None)
    if script is None:
        raise UserError(f"benchmark '{what}' is not installed: expected one of {', '.join(map(str, scripts))}")
    options = ["--json"] if as_json else []
    for option, value in (("--figure", figure), ("--env", env)):
        options += [option, value] if value is not None else []
    return subprocess.run([sys.executable, str(script), *options], check=False).returncode


def _check_figure(path: Path) -> None:
    """Before minutes of measuring, whose picture goes there."""
    if path.suffix not in _FORMATS or "\0" in str(path):
        raise UserError(f"--figure {path}: expected a file's name that ends in {', '.join(_FORMATS)}")
    if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise UserError(f"--figure {path}: its folder does not exist, or may not be written")
