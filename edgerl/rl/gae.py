"""Generalised advantage estimation."""

import chex
import jax
import jax.numpy as jnp


def gae(
    rewards: chex.Array,
    values: chex.Array,
    next_values: chex.Array,
    terminated: chex.Array,
    truncated: chex.Array,
    discount: chex.Numeric,
    gae_lambda: chex.Numeric,
) -> chex.Array:
    """Advantages of one sequence of steps, which may hold several episodes. Unbatched: the caller vmaps.

    With `d_t` = 1 where the step terminated and `e_t` = 1 where it terminated or was truncated:

        delta_t = r_t + discount (1 - d_t) V(s'_t) - V(s_t)
        A_t = delta_t + discount lambda (1 - e_t) A_{t+1},    A_T = 0

    `s'_t` is where step `t` led to, before any reset. So the future after a termination is worth nothing, the future
    after a truncation is worth the value of the final observation, and neither reaches into the next episode.

    Reference: Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2016,
    equation 16. Termination and truncation: Pardo et al., "Time Limits in Reinforcement Learning", 2018.

    Args:
      rewards: float32 [T], `r_t` for t in [0, T).
      values: float32 [T], `V(s_t)`.
      next_values: float32 [T], `V(s'_t)`.
      terminated: bool [T].
      truncated: bool [T].
      discount: scalar in [0, 1], or one for each step, float32 [T].
      gae_lambda: scalar in [0, 1]. 0: the one-step error; 1: the return until the end, minus the value.

    Returns:
      float32 [T]. Added to `values` they are the targets of the value function.
    """
    chex.assert_rank([rewards, values, next_values, terminated, truncated], 1)
    chex.assert_equal_shape([rewards, values, next_values, terminated, truncated])
    errors = rewards + discount * jnp.where(terminated, 0.0, next_values) - values
    decays = jnp.where(terminated | truncated, 0.0, discount * gae_lambda)

    def backwards(advantage: chex.Array, step: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        error, decay = step
        advantage = error + decay * advantage
        return advantage, advantage

    # A zero that varies as the errors do, for callers inside `shard_map`.
    return jax.lax.scan(backwards, jnp.zeros_like(errors[0]), (errors, decays), reverse=True)[1]
