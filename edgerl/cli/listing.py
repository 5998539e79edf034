"""`edgerl envs`: what can be simulated and trained, with its spaces."""

from typing import Any

from edgerl.envs.registry import make, registered
from edgerl.envs.spaces import Discrete, Space
from edgerl.tasks.registry import SHIPPED
from edgerl.util.errors import UserError


def environments() -> dict[str, Any]:
    """Tasks; registered environments with their spaces, or why one cannot be made; gymnax's names, if installed."""
    return {"tasks": list(SHIPPED), "environments": [_row(id) for id in registered()], "gymnax": _gymnax()}


def _row(id: str) -> dict[str, Any]:
    try:
        env = make(id)
    except UserError as error:
        return {"id": id, "error": str(error)}
    params = env.default_params
    return {
        "id": id,
        "observations": _said(env.observation_space(params)),
        "actions": _said(env.action_space(params)),
        "max_steps": _limit(getattr(params, "max_steps_in_episode", None)),
    }


def _said(space: Space) -> str:
    if isinstance(space, Discrete):
        return f"Discrete({space.n})"
    return f"Box{list(space.shape)}"


def _limit(steps: Any) -> int | None:
    return None if steps is None else int(steps)


def _gymnax() -> list[str]:
    try:
        import gymnax
    except ImportError:
        return []
    return [f"gymnax:{name}" for name in gymnax.registered_envs]


def text(found: dict[str, Any]) -> str:
    """The same as lines."""
    rows = [("environment", "observations", "actions", "steps at most")]
    for row in found["environments"]:
        if "error" in row:
            rows.append((row["id"], row["error"], "", ""))
        else:
            rows.append((row["id"], row["observations"], row["actions"], str(row["max_steps"] or "no limit")))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", f"tasks with a way of their own: {', '.join(found['tasks'])}"]
    lines.append(f"of gymnax: {', '.join(found['gymnax'])}" if found["gymnax"] else "gymnax is not installed")
    return "\n".join([*lines, "of your own: module:callable, file.py:callable"])
