"""`edgerl bench`: runs one script of the folder `benchmarks/` with this interpreter."""

import subprocess
import sys
from pathlib import Path

import edgerl
from edgerl.core.errors import UserError


def run(what: str, as_json: bool, figure: str | None = None) -> int:
    """Its output is passed through; returns its exit status."""
    package = Path(edgerl.__file__).parent
    # Inside an installed wheel, or beside the package in a checkout.
    scripts = [folder / f"{what}.py" for folder in (package / "_benchmarks", package.parent / "benchmarks")]
    script = next((path for path in scripts if path.is_file()), None)
    if script is None:
        raise UserError(f"benchmark '{what}' is not installed: expected one of {', '.join(map(str, scripts))}")
    options = [*(["--json"] if as_json else []), *(["--figure", figure] if figure is not None else [])]
    return subprocess.run([sys.executable, str(script), *options], check=False).returncode
