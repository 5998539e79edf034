"""Actions of policies that are not known to stay inside the action space: brought to its dtype, and watched."""

from typing import Any

import chex
import jax.numpy as jnp
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.envs.spaces import Box, Discrete, Space


def as_action(space: Space, action: Any) -> chex.Array:
    """The action as int32 (`Discrete`) or float32 (`Box`), in which an environment computes; its shape stays.

    An unsigned 0 less 1 would be 255.
    """
    if not isinstance(space, Discrete):
        return jnp.asarray(action, jnp.float32)
    action = jnp.asarray(action)
    wide = action.dtype.itemsize > 4 or action.dtype == jnp.uint32
    inside = (action >= 0) & (action < space.n)
    return jnp.where(inside, action, -1).astype(jnp.int32) if wide else action.astype(jnp.int32)


def in_box(space: Box, numbers: chex.Array) -> chex.Array:
    """float32 [..., *shape] of a bounded box for numbers float32 [..., n]: -1 is the lower side, 1 the upper one.

    Beyond them numbers are clipped; NaN makes NaN.
    """
    low, high = space.bounds()
    x = jnp.clip(numbers, -1, 1).reshape(*numbers.shape[:-1], *space.shape)
    # Halves, so that the width of [-max, max] does not overflow; rounding may not leave the box.
    return jnp.clip(low / 2 + high / 2 + (high / 2 - low / 2) * x, low, high)


def outside(space: Space, actions: chex.Array) -> chex.Array:
    """int32 [B]: 0 where the action [..., B] is inside; else a `Discrete` action itself, and 1 of a `Box`."""
    if isinstance(space, Discrete):
        return jnp.where((actions >= 0) & (actions < space.n), 0, actions)
    assert isinstance(space, Box)
    low, high = (jnp.asarray(bound)[..., None] for bound in space.bounds())
    inside = (actions >= low) & (actions <= high)  # NaN is not
    return 1 - inside.all(axis=tuple(range(inside.ndim - 1))).astype(jnp.int32)


def stays_inside(space: Space, policy: Policy) -> bool:
    """Whether a policy cannot leave the space: it draws from it, or takes the largest of as many outputs."""
    if getattr(policy, "draws_from", None) == space:
        return True
    sizes = getattr(policy, "sizes", None)
    return isinstance(space, Discrete) and sizes is not None and 1 <= sizes[-1] <= space.n


def complaint(space: Space, seen: np.ndarray) -> str | None:
    """What to say of actions outside the space, from `outside` of all environments [N]; None where there was none."""
    found = seen[seen != 0]
    if not found.size:
        return None
    what = f"action {found[0]}" if isinstance(space, Discrete) else "an action, or NaN,"
    return f"the policy answered {what} outside {space} in {found.size} of {seen.size} environments"
