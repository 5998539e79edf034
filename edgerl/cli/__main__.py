"""`python -m edgerl.cli`: the same as `edgerl`."""

from edgerl.cli.commands import run

run()
