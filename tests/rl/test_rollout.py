"""Rollouts follow the environment's dynamics, reset where episodes end, and count episodes."""

import jax
import jax.numpy as jnp
import numpy as np

import edgerl
from edgerl.rl.distributions import categorical
from edgerl.rl.rollout import reset, rollout

ENV = edgerl.make("CartPole-v1")
LIMIT = 30
PARAMS = ENV.default_params.replace(max_steps_in_episode=LIMIT)
NUM_ENVS, NUM_STEPS = 8, 60


def scores(obs):
    """Mostly against the pole's fall, so that both ends of an episode occur."""
    return jnp.stack([jnp.zeros_like(obs[0]), 4 * obs[2] + obs[3]], axis=-1)


def act(key, obs, memory):
    return *categorical(scores(obs)).sample_and_log_prob(seed=key), memory


def played():
    @jax.jit
    def run(key):
        first, second, third = jax.random.split(key, 3)
        playing = reset(ENV, first, PARAMS, NUM_ENVS)
        middle, steps, log_probs, finished = rollout(ENV, act, playing, second, PARAMS, NUM_STEPS)
        return playing, steps, log_probs, finished, rollout(ENV, act, middle, third, PARAMS, NUM_STEPS)

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def test_rollout():
    playing, steps, log_probs, finished, (end, more, _, more_finished) = played()
    steps = jax.tree.map(lambda a, b: np.concatenate([a, b]), steps, more)
    ended = steps.terminated | steps.truncated
    assert steps.terminated.any()
    assert steps.truncated.any()
    assert not (steps.terminated & steps.truncated).any()

    # Each step leads where the environment says.
    state = ENV.reset(jax.random.key(0))[1]
    many = jax.jit(jax.vmap(jax.vmap(lambda s, a: ENV.step(None, s, a, PARAMS)[0])))
    x, x_dot, theta, theta_dot = steps.obs.transpose(1, 0, 2)
    states = state.replace(x=x, x_dot=x_dot, theta=theta, theta_dot=theta_dot, time=np.zeros(x.shape, np.int32))
    np.testing.assert_allclose(many(states, steps.action), steps.next_obs.transpose(0, 2, 1), rtol=1e-5, atol=1e-6)

    # The next step starts there, or anew where the episode ended.
    follows, leads = steps.obs[1:], steps.next_obs[:-1]
    going = np.broadcast_to(~ended[:-1, None], leads.shape)
    np.testing.assert_array_equal(follows[going], leads[going])
    assert (np.abs(follows[~going]) <= 0.05).all()
    assert len(np.unique(follows[~going])) == follows[~going].size
    np.testing.assert_array_equal(steps.obs[0], playing.obs)

    # Episodes go on from rollout to rollout, and are counted where they end.
    lengths, running = [[], []], np.zeros(NUM_ENVS, int)
    for t in range(2 * NUM_STEPS):
        running += 1
        assert (steps.truncated[t] == ((running == LIMIT) & ~steps.terminated[t])).all()
        lengths[t // NUM_STEPS] += list(running[ended[t]])
        running[ended[t]] = 0
    np.testing.assert_array_equal(end.episode_length, running)
    for expected, seen in zip(lengths, (finished, more_finished), strict=True):
        assert seen.count == len(expected)
        assert seen.total_length == sum(expected)
        assert seen.total_return == sum(expected)

    assert (log_probs < 0).all()
    expected = jax.vmap(lambda o, a: categorical(scores(o)).log_prob(a), (-1, 0))(playing.obs, steps.action[0])
    np.testing.assert_allclose(log_probs[0], expected, rtol=1e-4)
