import sys
import warnings

import gymnasium
import numpy as np
import pytest
from environments import Fixed, FixedParams, Walk, WalkParams
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import edgerl
from edgerl import UserError
from edgerl.envs.adapters.gymnasium_programs import compiled_many

UNBOUNDED = [
    r".*A Box observation space minimum value is -infinity\. This is probably too low\.",
    r".*A Box observation space maximum value is infinity\. This is probably too high\.",
]


@pytest.mark.parametrize("id", ["CartPole-v0", "CartPole-v1"])
def test_gymnasiums_own_checker_has_nothing_to_say(id):
    env = edgerl.to_gymnasium(edgerl.make(id))
    with warnings.catch_warnings():
        for message in UNBOUNDED:  # velocities have no bounds, in Gymnasium's CartPole neither
            warnings.filterwarnings("ignore", message=message)
        check_env(env)


def test_spec_and_spaces_are_gymnasiums():
    env = edgerl.to_gymnasium(edgerl.make("CartPole-v1"))
    theirs = gymnasium.make("CartPole-v1")
    assert env.observation_space == theirs.observation_space
    assert env.action_space == theirs.action_space
    assert (env.spec.id, env.spec.version, env.spec.max_episode_steps) == ("EdgeRL/CartPole-v1", 1, 500)
    again = gymnasium.make(env.spec)
    assert again.observation_space == env.observation_space
    np.testing.assert_array_equal(again.reset(seed=3)[0], env.reset(seed=3)[0])


def test_single_environment_gives_plain_numpy_and_numbers():
    env = edgerl.to_gymnasium(Walk())
    obs, info = env.reset(seed=0)
    assert type(obs) is np.ndarray
    assert (obs.dtype, obs.shape, info) == (np.float32, (1,), {})
    obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert type(obs) is np.ndarray
    assert (type(reward), type(terminated), type(truncated), info) == (float, bool, bool, {})
    assert reward == obs[0]


def _episodes(env, seed, count):
    observations = [env.reset(seed=seed)[0]]
    ends = []
    for i in range(count):
        obs, _, terminated, truncated, _ = env.step(i % 3)
        observations.append(obs)
        if terminated or truncated:
            ends.append((i, terminated, truncated))
            observations.append(env.reset()[0])
    return np.array(observations), ends


def test_the_seed_decides_every_episode():
    env = edgerl.to_gymnasium(Walk())
    first, ends = _episodes(env, 7, 60)
    again, _ = _episodes(edgerl.to_gymnasium(Walk()), 7, 60)
    other, _ = _episodes(env, 8, 60)
    np.testing.assert_array_equal(first, again)
    assert not (first == other).any()
    assert len(np.unique(first)) == len(first)  # every episode and every step draws anew
    assert len(ends) >= 3
    assert all(terminated != truncated for _, terminated, truncated in ends)


def test_parameters_reach_the_environment():
    env = edgerl.to_gymnasium(Walk(), params=WalkParams(limit=1e9, max_steps=4))
    env.reset(seed=0)
    assert [env.step(1)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]


def test_vector_environment_has_gymnasiums_form():
    env = edgerl.to_gymnasium(edgerl.make("CartPole-v1"), num_envs=3)
    assert isinstance(env, gymnasium.vector.VectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert (env.num_envs, env.action_space) == (3, gymnasium.spaces.MultiDiscrete([2, 2, 2]))
    obs, _ = env.reset(seed=1)
    assert obs in env.observation_space
    obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert obs in env.observation_space
    assert [x.dtype for x in (obs, reward, terminated, truncated)] == [np.float32, np.float32, bool, bool]
    assert [x.shape for x in (obs, reward, terminated, truncated)] == [(3, 4), (3,), (3,), (3,)]
    assert info == {}
    obs[:] = 0  # the caller's own


def test_vector_environment_resets_on_the_same_step_and_keeps_the_last_observation():
    env = edgerl.to_gymnasium(Walk(), num_envs=64)
    env.action_space.seed(0)
    before, _ = env.reset(seed=0)
    ends = 0
    for _ in range(50):
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        ended = terminated | truncated
        ends += ended.sum()
        assert ("final_obs" in info) == ended.any()
        assert (np.abs(obs[ended]) <= 0.1).all()  # a fresh start
        if ended.any():
            np.testing.assert_array_equal(info["_final_obs"], ended)
            assert [x is not None for x in info["final_obs"]] == ended.tolist()
            last = np.stack(info["final_obs"][ended])
            np.testing.assert_array_equal(last[:, 0], reward[ended])  # the reward is the position
            assert (np.abs(last[terminated[ended]]) > 3).all()
            assert (np.abs(last[truncated[ended]]) <= 3).all()
        assert (np.abs(obs - before)[~ended] < 2).all()
        before = obs
    assert ends > 100


def test_vector_environment_works_under_gymnasiums_wrapper():
    env = RecordEpisodeStatistics(edgerl.to_gymnasium(Fixed(default_params=FixedParams(4, 0.5)), num_envs=2))
    env.reset(seed=0)
    infos = [env.step(np.zeros(2, int))[4] for _ in range(8)]
    assert ["episode" in info for info in infos] == [False, False, False, True] * 2
    assert infos[3]["episode"]["l"].tolist() == [4, 4]
    assert infos[3]["episode"]["r"].tolist() == [2.0, 2.0]


def test_vector_environments_differ_and_the_seed_decides():
    env = edgerl.to_gymnasium(Walk(), num_envs=8)
    actions = np.ones(8, int)

    def play(seed):
        return np.array([env.reset(seed=seed)[0], *(env.step(actions)[0] for _ in range(9))])

    one, again, other = play(1), play(1), play(2)
    np.testing.assert_array_equal(one, again)
    assert len(np.unique(np.concatenate([one, other]))) == 2 * one.size


class Told(Walk):
    """Tells its clock."""

    def step(self, key, state, action, params=None):
        *rest, _ = super().step(key, state, action, params)
        return *rest, {"time": state.time + 1, "pair": state.x + np.arange(2)}


def test_infos_are_masked_as_gymnasiums_are():
    env = edgerl.to_gymnasium(Told(default_params=WalkParams(limit=1e9, max_steps=2)), num_envs=2)
    env.reset(seed=0)
    info = env.step(np.ones(2, int))[4]
    assert {k: v.tolist() for k, v in info.items() if "time" in k} == {"time": [1, 1], "_time": [True, True]}
    info = env.step(np.ones(2, int))[4]
    assert "time" not in info
    assert info["final_info"]["time"].tolist() == [2, 2]
    assert info["final_info"]["_time"].tolist() == [True, True]
    assert info["final_info"]["pair"].shape == (2, 2)
    single = edgerl.to_gymnasium(Told())
    single.reset(seed=0)
    assert single.step(1)[4]["time"] == 1


def test_two_adapters_of_one_environment_compile_once():
    compiled_many.cache_clear()
    for seed in range(3):
        env = edgerl.to_gymnasium(Walk(), num_envs=2)
        env.reset(seed=seed)
        env.step(np.ones(2, int))
    assert [f._cache_size() for f in compiled_many(Walk(), 2)] == [1, 1]


def test_misuse_is_one_clear_line(monkeypatch):
    with pytest.raises(UserError, match="num_envs is 0; it must be from 1 to"):
        edgerl.to_gymnasium(Walk(), num_envs=0)
    env, many = edgerl.to_gymnasium(Walk()), edgerl.to_gymnasium(Walk(), 2)
    for one, action in ((env, 1), (many, np.ones(2, int))):
        with pytest.raises(gymnasium.error.ResetNeeded):
            one.step(action)
        one.reset(seed=0)
    with pytest.raises(UserError, match=r"the action 3 is not in Discrete\(3\)"):
        env.step(3)
    with pytest.raises(UserError, match="is not in MultiDiscrete"):
        many.step(np.array([0, 3]))
    monkeypatch.delitem(sys.modules, "edgerl.envs.adapters.gymnasium_envs")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UserError, match=r"Gymnasium is not installed: .*edgerl\[dev\]"):
        edgerl.to_gymnasium(Walk())


def test_stable_baselines3_trains_on_the_adapter():
    ppo = pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 (and torch) is not installed").PPO
    model = ppo("MlpPolicy", edgerl.to_gymnasium(edgerl.make("CartPole-v1")), n_steps=128, batch_size=64, seed=0)
    before = {k: v.clone() for k, v in model.policy.state_dict().items()}
    model.learn(512)
    assert model.num_timesteps == 512
    assert any((v != before[k]).any() for k, v in model.policy.state_dict().items())
    assert len(model.ep_info_buffer) > 5
