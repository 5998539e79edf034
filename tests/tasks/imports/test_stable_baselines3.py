"""Agents of Stable-Baselines3 decide as a plain forward pass does; what is no perceptron is refused by name."""

import foreign
import gymnasium
import numpy as np
import pytest

import edgerl
from edgerl import UserError
from edgerl.tasks.imports import reading

COUNT = 10_000
TWO = gymnasium.spaces.Discrete(2)
TORQUE = gymnasium.spaces.Box(-2.0, 2.0, (1,))
SIZES = (4, 16, 16, 2)
FORWARD = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
HIDDEN = [f"mlp_extractor.policy_net.{i}" for i in (0, 2)]


@pytest.fixture
def imported(tmp_path):
    """The policy of an agent's file."""

    def read(data, env="CartPole-v1", normaliser=None, **options):
        (tmp_path / "agent.zip").write_bytes(data)
        if normaliser is not None:
            (tmp_path / "vecnormalize.pkl").write_bytes(normaliser)
            options["normaliser"] = tmp_path / "vecnormalize.pkl"
        return edgerl.import_policy(tmp_path / "agent.zip", env, **options)

    return read


def observations(env_id):
    """From all over the environment's space."""
    draw = np.random.default_rng(0)
    if env_id == "CartPole-v1":
        return draw.uniform(-1, 1, (COUNT, 4)).astype(np.float32) * np.float32([2.4, 3, 0.2, 3])
    angle = draw.uniform(-np.pi, np.pi, COUNT)
    return np.stack([np.cos(angle), np.sin(angle), draw.uniform(-8, 8, COUNT)], 1).astype(np.float32)


def check_indices(policy, wanted, obs):
    """Every action is the largest output's, where that is not one of two within float32's rounding."""
    actions = np.asarray(policy.logits(obs)).argmax(1)
    assert np.array_equal(actions, np.asarray(policy(None, obs)))
    ordered = np.sort(wanted, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-5 * np.abs(wanted).max()
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(actions[clear], wanted.argmax(1)[clear])
    assert len(set(actions.tolist())) > 1  # or nothing was shown


@pytest.mark.parametrize("chosen", [None, "Tanh", "ReLU", "Sigmoid"])
def test_an_actor_critic_decides_as_its_actor(imported, chosen):
    tensors = foreign.actor(SIZES, scale=3.0)
    options = None if chosen is None else foreign.with_activation(chosen)
    policy = imported(foreign.agent_file(tensors, TWO, options=options))
    assert policy.activation == (chosen or "tanh").lower()
    obs = observations("CartPole-v1")
    check_indices(policy, foreign.outputs(tensors, [*HIDDEN, "action_net"], obs, FORWARD[policy.activation]), obs)


def test_a_dqn_decides_by_its_q_values(imported):
    tensors = foreign.q_network(SIZES)
    policy = imported(foreign.agent_file(tensors, TWO, foreign.DQN, {"net_arch": [16, 16]}))
    obs = observations("CartPole-v1")
    names = [f"q_net.q_net.{i}" for i in (0, 2, 4)]
    check_indices(policy, foreign.outputs(tensors, names, obs, FORWARD["relu"]), obs)


def test_layers_that_actor_and_critic_share_come_first(imported):
    tensors = foreign.network((4, 8, 6, 2), ["mlp_extractor.shared_net.0", "mlp_extractor.policy_net.0", "action_net"])
    policy = imported(foreign.agent_file(tensors, TWO))
    assert policy.sizes == (4, 8, 6, 2)


def test_an_actor_without_hidden_layers(imported):
    assert imported(foreign.agent_file(foreign.actor((4, 2)), TWO)).sizes == (4, 2)


@pytest.mark.parametrize("scaled", [False, True])
def test_continuous_actions_are_the_clipped_mean(imported, scaled):
    tensors = foreign.actor((3, 16, 16, 1), scale=2.0) | {"log_std": np.zeros(1, np.float32)}
    mean, variance = np.array([0.5, -0.1, 0.2]), np.array([0.4, 0.5, 9.0])
    more = {"_last_original_obs": foreign.serialised(np.zeros((1, 3)))} if scaled else {}
    normaliser = foreign.normaliser_file(mean, variance) if scaled else None
    data = foreign.agent_file(tensors, TORQUE, version=b"2.4.0", use_sde=True, **more)
    policy = imported(data, "Pendulum-v1", normaliser=normaliser)
    obs = observations("Pendulum-v1")
    seen = (obs - mean) / np.sqrt(variance + 1e-8) if scaled else obs
    wanted = np.clip(foreign.outputs(tensors, [*HIDDEN, "action_net"], seen, np.tanh), -2, 2)
    assert 0.01 < (np.abs(wanted) == 2).mean() < 0.9
    np.testing.assert_allclose(np.asarray(policy(None, obs)), wanted, atol=2e-5)


def test_a_box_that_is_not_around_0():
    from edgerl.tasks.imports import policies
    from edgerl.tasks.imports.networks import Layer

    box = edgerl.Box((0.0, -3.0), (10.0, 1.0), (2,))
    spaces = policies.Spaces(edgerl.Box(-1.0, 1.0, (2,)), box)
    policy = policies.made([Layer("a", np.eye(2), np.array([4.0, -1.0]))], "relu", spaces, None, "it")
    obs = np.random.default_rng(0).uniform(-9, 9, (1000, 2)).astype(np.float32)
    np.testing.assert_allclose(policy(None, obs), np.clip(obs + [4, -1], [0, -3], [10, 1]), atol=1e-5)


SAC = "stable_baselines3.sac.policies.SACPolicy"
GOOD = foreign.actor(SIZES)


def agent(tensors=GOOD, actions=TWO, **options):
    return lambda: foreign.agent_file(tensors, actions, **options)


def extractor():
    names = foreign.Names()
    found = {"features_extractor_class": names["stable_baselines3.common.torch_layers.NatureCNN"]}
    return foreign.agent_file(GOOD, TWO, options=foreign.serialised(found, names))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (agent(of=SAC), "a policy of the class stable_baselines3.sac.policies.SACPolicy; read are agents of"),
        (agent(of="sb3_contrib.tqc.policies.TQCPolicy"), "sb3_contrib.tqc.policies.TQCPolicy"),
        (agent(of="stable_baselines3.common.policies.ActorCriticCnnPolicy"), "ActorCriticCnnPolicy; read"),
        (extractor, r"has a features extractor, stable_baselines3\.common\.torch_layers\.NatureCNN"),
        (agent(options={"squash_output": True}), "bounds its actions by tanh"),
        (agent(options=foreign.with_activation("GELU")), "has the activation GELU; known: Tanh, ReLU, ReLU6, Sigmoid"),
        (agent(options={"activation_fn": "relu"}), "has the activation of its own"),
        (agent(options=[1]), "policy_kwargs is no dictionary"),
        (agent(options={":serialized:": "?"}), "policy_kwargs is no base64"),
        (agent(options={":serialized:": "gAQ="}), "policy_kwargs: it is damaged or truncated"),
        (agent(action_space={}), "action_space is not there"),
        (agent(action_space=foreign.named("mine.Space")), "action_space is no space of Gymnasium"),
        (agent(actions=gymnasium.spaces.Discrete(3)), "decides among 3 actions from 0 on; the environment takes"),
        (agent(actions=gymnasium.spaces.Discrete(2, start=1)), "decides among 2 actions from 1 on"),
        (agent(actions=TORQUE), r"takes actions from \[-2.0\] to \[2.0\]; the environment takes Discrete"),
        (agent(actions=gymnasium.spaces.MultiDiscrete([2, 2])), "takes actions of multi_discrete.MultiDiscrete"),
        (agent(_last_original_obs=1), r"VecNormalize scaled: give its statistics with --normaliser vecnormalize\.pkl"),
        (agent(foreign.actor((5, 8, 2))), "reads 5 features and puts out 2 numbers; the environment has 4 and takes 2"),
        (agent(foreign.actor((4, 8, 3))), "reads 4 features and puts out 3 numbers"),
        (agent(GOOD | {"cnn.weight": np.ones(2)}), "has the tensor cnn.weight, which no network of dense layers has"),
        (agent({k: v for k, v in GOOD.items() if "action_net" not in k}), "reads 4 features and puts out 16"),
        (agent(GOOD | {"action_net.weight": np.ones((2, 5), np.float32)}), r"is followed by action_net \[5, 2\]"),
        (agent(GOOD | {"action_net.bias": np.full(2, np.nan)}), r"action_net\.bias holds NaN or infinite numbers"),
        (agent({k: v for k, v in GOOD.items() if "action_net.weight" not in k}), "has no tensor action_net.weight"),
    ],
)
def test_another_agent_is_refused(imported, data, said):
    with pytest.raises(UserError, match=said):
        imported(data())


def test_a_class_of_the_programs_own_is_refused(imported):
    names = foreign.Names()
    made = names["cloudpickle.cloudpickle._make_skeleton_class"]()
    with pytest.raises(UserError, match="has a policy of the class that is not named"):
        imported(foreign.agent_file(GOOD, TWO, policy_class=foreign.serialised(made, names)))


def test_an_agent_of_another_box_is_refused(imported):
    data = foreign.agent_file(foreign.actor((3, 8, 1)), gymnasium.spaces.Box(-1.0, 1.0, (1,)))
    with pytest.raises(UserError, match=r"takes actions from \[-1.0\] to \[1.0\]; the environment takes Box"):
        imported(data, "Pendulum-v1")


def test_an_activation_that_the_file_contradicts_is_refused(imported):
    with pytest.raises(UserError, match="has the activation tanh between its layers, not relu"):
        imported(foreign.agent_file(GOOD, TWO), activation="relu")


def test_a_file_of_json_that_is_damaged_is_refused(imported):
    for data in (b"{", b"[]", b'{"a": 1, "a": 2}', b"[" * 100_000, bytes(2**23 + 1)):
        with pytest.raises(UserError, match=r"agent\.zip: data "):
            imported(foreign.zipped({"data": data, "policy.pth": b""}))
    assert reading.MOST_BYTES > 2**23
