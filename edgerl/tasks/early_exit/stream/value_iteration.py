"""Value iteration on a discretised stream: what is best at each price of energy, and which price to follow.

Two time scales. Within minutes the battery hardly changes: there, decisions maximise right answers less a price for
each joule, over the states of `states.Bins`, with transitions counted in simulated steps. Over the day the price
follows the battery, the time and the sky, by value iteration over these three.

It is exact for the discretised problem only. Its policy sees what every policy sees, rounded, and is judged in the
environment itself; it is a reference to be reached, and no upper bound: bins merge states, and so does the split.
"""

import dataclasses
from typing import Any, ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from flax import struct

from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import OLDEST, SLEEP, Learning
from edgerl.tasks.early_exit.stream.play import DAY_S, Played, play
from edgerl.tasks.early_exit.stream.states import PLACE, Bins, bins_of
from edgerl.util.content import jit_by_content

PRICES = (0.0, 0.35, 0.7, 1.1, 1.6, 2.3, 3.2, 4.5, 6.5)  # right answers a joule
ACTIONS = 4
_DISCOUNT_S, _SWEEPS = 600.0, 600  # of the decisions within minutes
_LANES, _STEPS = 512, 512  # of a part of the counted steps
_DAY_SLOTS, _SKIES, _LEVELS, _DAYS = 96, 5, 81, 30
_NOISE = ((-np.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (np.sqrt(3.0), 1 / 6))  # a Gaussian's three points


@struct.dataclass
class PricedPolicy:
    """Looks the price up by time, sky and battery, and then the action by price and state.

    Attributes:
      bins: of the states.
      actions: int8 [prices, S].
      prices: int8 [slots, skies, levels], the price to follow; the number of prices: none is worth it, sleep.
      daylight: float32 [slots], the light of a clear day.
      sky_low: of the darkest day.
    """

    looks_up: ClassVar[bool] = True  # see `play`

    bins: Bins
    actions: chex.Array
    prices: chex.Array
    daylight: chex.Array
    sky_low: chex.Array

    def __call__(self, key: chex.PRNGKey | None, obs: chex.Array) -> chex.Array:
        """int32 action [...] for observations [features, ...]; no key is needed."""
        del key
        return self.lanes(obs)

    def lanes(self, obs: chex.Array) -> chex.Array:
        """int32 actions [B] for observations [features, B]."""
        prices = jnp.asarray(self.prices)
        price = _price(self, obs) if prices.ndim == 3 else prices  # or one for each lane
        known = jnp.minimum(price, self.actions.shape[0] - 1).astype(jnp.int32)
        action = jnp.asarray(self.actions)[known, self.bins.state(obs)]
        return jnp.where(price >= self.actions.shape[0], SLEEP, action).astype(jnp.int32)


def _price(policy: PricedPolicy, obs: chex.Array) -> chex.Array:
    slots, skies, levels = policy.prices.shape
    turn = jnp.arctan2(obs[PLACE["day sine"]], obs[PLACE["day cosine"]]) / (2 * np.pi)
    slot = jnp.clip(((turn - jnp.floor(turn)) * slots).astype(jnp.int32), 0, slots - 1)
    clear = jnp.asarray(policy.daylight)[slot]
    share = obs[PLACE["harvest"]] / jnp.maximum(clear, 1e-6)
    known = (share - policy.sky_low) / jnp.maximum(1 - policy.sky_low, 1e-6)
    sky = jnp.where(clear > 0, jnp.clip((known * skies).astype(jnp.int32), 0, skies - 1), 0)
    level = jnp.clip(jnp.round(obs[PLACE["battery"]] * (levels - 1)).astype(jnp.int32), 0, levels - 1)
    return jnp.asarray(policy.prices)[slot, sky, level]


@dataclasses.dataclass(frozen=True)
class Model:
    """Counted: of each state and action the mean reward and energy, and what the states after it are worth.

    Attributes:
      reward, joules: float64 [S * A].
      later: sparse [S * A, S], probabilities times discounts.
      seen: bool [S * A], whether it was ever tried.
    """

    reward: np.ndarray
    joules: np.ndarray
    later: Any
    seen: np.ndarray


def count(env: ExitStream, bins: Bins, key: jax.Array, parts: int) -> Model:
    """A model by `parts` times `_LANES * _STEPS` steps of random decisions, on a battery that never ends."""
    env = dataclasses.replace(env, learning=Learning(0.0, 0.0, _DISCOUNT_S))
    pairs, sums, later = bins.count * ACTIONS, np.zeros((4, bins.count * ACTIONS)), None
    for part in range(parts):
        before, after, reward, joules, discount = _sampled(env, bins, jax.random.fold_in(key, part))
        for row, x in zip(sums, (np.ones_like(reward), reward, joules), strict=False):
            row += np.bincount(before, x, pairs)
        found = scipy.sparse.coo_matrix((discount, (before, after)), (pairs, bins.count)).tocsr()
        later = found if later is None else later + found
    many = np.maximum(sums[0], 1)
    assert later is not None  # one part at least
    return Model(sums[1] / many, sums[2] / many, scipy.sparse.diags(1 / many) @ later, sums[0] > 0)


def _sampled(env: ExitStream, bins: Bins, key: jax.Array) -> list[np.ndarray]:
    endless = dataclasses.replace(env.default_params.supply, capacity_j=np.float32(1e9))
    params = dataclasses.replace(env.default_params, supply=endless, horizon_s=np.float32(np.inf))
    return [np.asarray(x).reshape(-1) for x in _steps(env, bins, jax.tree.map(jnp.asarray, params), key)]


@jit_by_content("env")
def _steps(env: ExitStream, bins: Bins, params: Any, key: jax.Array) -> tuple[chex.Array, ...]:
    def step(carry: Any, key: jax.Array) -> Any:
        state, obs = carry
        act_key, lean_key, step_key = jax.random.split(key, 3)
        # Frames that go on now and then, so that deep exits are seen, too.
        action = jax.random.randint(act_key, (_LANES,), 0, ACTIONS)
        action = jnp.where(jax.random.uniform(lean_key, (_LANES,)) < 0.4, 0, action)
        one = jax.vmap(lambda k, s, a: env.step(k, s, a, params), in_axes=(0, -1, -1), out_axes=-1)
        after_obs, after, reward, _, _, info = one(jax.random.split(step_key, _LANES), state, action)
        pair = bins.state(obs) * ACTIONS + action
        return (after, after_obs), (pair, bins.state(after_obs), reward, info["spent_j"], info["discount"])

    start_key, key = jax.random.split(key)
    obs, state = jax.vmap(lambda k: env.reset(k, params), out_axes=-1)(jax.random.split(start_key, _LANES))
    return jax.lax.scan(step, (state, obs), jax.random.split(key, _STEPS))[1]


def actions_at(model: Model, price: float) -> np.ndarray:
    """int8 [S]: what is best in each state where a joule costs so many right answers."""
    paid = np.where(model.seen, model.reward - price * model.joules, -np.inf)
    value = np.zeros(model.later.shape[1])
    for _ in range(_SWEEPS):
        worth = (paid + model.later @ value).reshape(-1, ACTIONS)
        best = worth.max(1)
        new = np.where(np.isfinite(best), best, 0.0)
        if np.abs(new - value).max() < 1e-4:
            break
        value = new
    worth = (paid + model.later @ value).reshape(-1, ACTIONS)
    return np.where(np.isfinite(worth.max(1)), worth.argmax(1), OLDEST).astype(np.int8)


def solve(env: ExitStream, key: jax.Array, parts: int = 24, devices: int = 32) -> PricedPolicy:
    """The policy of value iteration, fitted on an environment's own images.

    Args:
      parts: of the counted steps, 262,144 each; devices: on which each price's own policy is measured, for a day.
    """
    bins = bins_of(env)
    model = count(env, bins, key, parts)
    actions = np.stack([actions_at(model, price) for price in PRICES])
    p = env.default_params
    slots = np.asarray(p.supply.harvest)
    daylight = slots[np.arange(_DAY_SLOTS) * len(slots) // _DAY_SLOTS].astype(np.float32)
    low = np.float32(p.supply.sky_low)
    constant = np.repeat(np.arange(len(PRICES)), devices).astype(np.int32)
    endless = dataclasses.replace(p, supply=dataclasses.replace(p.supply, capacity_j=np.float32(1e9)))
    policy = PricedPolicy(bins, actions, constant, daylight, low)
    played = play(env, policy, jax.random.fold_in(key, parts), len(constant), DAY_S, 600.0, endless)
    return dataclasses.replace(policy, prices=prices_of(env, played, daylight))


def prices_of(env: ExitStream, played: Played, daylight: np.ndarray) -> np.ndarray:
    """int8 [slots, skies, levels]: the price to follow, by what each earns and takes, `played` one after another."""
    rows = (len(PRICES), -1)
    right, joules, seconds = (x.reshape(rows) for x in (played.right, played.spent_j, played.seconds))
    supply, slot_s = env.default_params.supply, DAY_S / _DAY_SLOTS
    earned, taken = (x.sum(1) / seconds.sum(1) * slot_s for x in (right, joules))
    earned, taken = np.append(earned, 0.0), np.append(taken, supply.sleep_w * slot_s)
    spread = (joules.std(1) / joules.mean(1)).mean() * np.sqrt(DAY_S / slot_s)  # of a slot's frames, about their mean
    levels = np.linspace(0, supply.capacity_j, _LEVELS)
    skies = supply.sky_low + (1 - supply.sky_low) * (np.arange(_SKIES) + 0.5) / _SKIES
    harvest = supply.panel_w * slot_s * daylight[:, None] * skies
    dawn = int(np.argmax(daylight > 0))
    chosen, midnight = np.zeros((_DAY_SLOTS, _SKIES, _LEVELS), np.int8), np.zeros(_LEVELS)
    for _ in range(_DAYS):
        value = np.repeat(midnight[None], _SKIES, axis=0)
        for slot in range(_DAY_SLOTS - 1, -1, -1):
            worth = np.stack([_worth(levels, harvest[slot, i], earned, taken, spread, value[i]) for i in range(_SKIES)])
            if slot < dawn:  # nobody has seen the day's sky yet
                worth[:] = worth.mean(0)
            chosen[slot], value = worth.argmax(1), worth.max(1)
        midnight = value.mean(0) - value.mean()
    return chosen


def _worth(
    levels: np.ndarray, harvest: float, earned: np.ndarray, taken: np.ndarray, spread: float, later: np.ndarray
) -> np.ndarray:
    """float64 [prices + 1, levels]: what a slot pays, and what follows, at each price."""
    worth = np.zeros((len(earned), len(levels)))
    for z, share in _NOISE:
        times = max(0.0, 1 + spread * z)
        need = np.maximum(times * taken[:, None], 1e-9)
        paid = np.minimum(1.0, (levels + harvest) / need)  # of the frames, what the battery allows
        left = np.clip(levels + harvest - paid * need, 0, levels[-1])
        worth += share * (times * earned[:, None] * paid + np.interp(left, levels, later))
    return worth
