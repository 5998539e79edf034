"""Runs JavaScript of the house in Node.js: JSON goes in, JSON comes out."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import edgerl

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="not installed: nodejs (Debian package)")
PACKAGE = Path(edgerl.__file__).parent


def run(modules, expression, given):
    """What a JavaScript expression is, in which `given` stands for a JSON value.

    Args:
      modules: files below `edgerl/`, all of whose exports are in scope.
      expression: may wait for promises.
    """
    imports = [f"Object.assign(globalThis, await import({json.dumps((PACKAGE / file).as_uri())}));" for file in modules]
    reading = "const given = JSON.parse((await import('node:fs')).readFileSync(0, 'utf8'));"
    writing = f"process.stdout.write(JSON.stringify({expression}));"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", "\n".join([*imports, reading, writing])],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
