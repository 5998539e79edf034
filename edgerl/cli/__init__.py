"""The command line: `edgerl COMMAND …`. May import everything."""

from edgerl.cli.commands import main, run

__all__ = ["main", "run"]
