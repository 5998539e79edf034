"""A foreign policy on the whole way: file, run, evaluation, figures, export, verification, simulation."""

import json
import random

import foreign
import gymnasium
import numpy as np
import pytest
from environments import Walk

import edgerl
from edgerl import UserError, cli, deploy
from edgerl.deploy import tflite_file

SIZES = (4, 8, 8, 2)
TWO = gymnasium.spaces.Discrete(2)
AGENT = foreign.agent_file(foreign.actor(SIZES), TWO)
TINY = foreign.npz_file({"mean": np.ones(4), "var": np.full(4, 1e-300)})  # deviations
STATE = foreign.network(SIZES, ["0", "2", "4"])
FORMS = {
    "agent.zip": AGENT,
    "state.pth": foreign.torch_file(STATE),
    "state.safetensors": foreign.safetensors_file(STATE),
    "state.npz": foreign.npz_file(STATE),
}


def written(folder, name="agent.zip", data=None):
    path = folder / name
    path.write_bytes(FORMS[name] if data is None else data)
    return path


def shown(capsys, *arguments):
    """The JSON that a command prints."""
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.long
def test_the_commands(tmp_path, capsys):
    out, exported = tmp_path / "run", tmp_path / "c"
    found = shown(capsys, "import-policy", written(tmp_path), "--env", "CartPole-v1", "--out", out)
    assert found["imported"]["format"] == "Stable-Baselines3 2.3.2"
    judged = shown(capsys, "evaluate", out)
    assert judged["policy_float32"]["episodes"] == 2000
    report = shown(capsys, "export", out, "--out", exported, "--onnx")
    assert (exported / "policy.onnx").is_file()
    assert report["run"] == {"system": "CartPole-v1", "imported": found["imported"]}
    checked = edgerl.verify(exported, num_vectors=1000, targets=["host C"])
    assert checked["passed"], checked
    for folder in (out, exported):
        played = shown(capsys, "simulate", "CartPole-v1", "--policy", folder, "--envs", 64, "--steps", 500)
        assert played["episodes"] > 0
    drawn = shown(capsys, "figures", out)["figures"]
    assert sorted(path.rpartition("/")[2] for path in drawn) == ["episode.gif", "episode.png", "returns.png"]


def test_what_the_command_says(tmp_path, capsys):
    path = written(tmp_path, data=foreign.agent_file(foreign.actor(SIZES), TWO, _last_original_obs=1))
    normaliser = written(tmp_path, "vecnormalize.pkl", foreign.normaliser_file([0.0] * 4, [1.0] * 4))
    options = ["--env", "CartPole-v1", "--out", str(tmp_path / "run"), "--normaliser", str(normaliser)]
    assert cli.main(["import-policy", str(path), *options]) == 0
    said = capsys.readouterr()
    rows = dict(line.split("  ", 1) for line in said.out.splitlines()[:6])
    assert {name: row.strip() for name, row in rows.items()} == {
        "run": str(tmp_path / "run"),
        "environment": "CartPole-v1",
        "file": "agent.zip, Stable-Baselines3 2.3.2",
        "layers": "4-8-8-2",
        "activation": "tanh",
        "scaled observations": "folded into the first layer",
    }
    assert "note: in training, observations more than 10 deviations from the mean were clipped" in said.err


def test_the_run_is_an_ordinary_one(tmp_path):
    policy = edgerl.import_policy(written(tmp_path), "CartPole-v1", tmp_path / "run")
    run = edgerl.open_run(tmp_path / "run")
    assert isinstance(policy, edgerl.MLPPolicy)
    assert run.imported
    np.testing.assert_array_equal(run.policy.kernels[0], policy.kernels[0])


def test_an_environment_of_ones_own(tmp_path):
    features = Walk().observation_space().shape[0]
    data = foreign.npz_file(foreign.network((features, Walk().action_space().n), ["0"]))
    edgerl.import_policy(written(tmp_path, "a.npz", data), Walk(), tmp_path / "run")
    assert edgerl.open_run(tmp_path / "run", Walk()).env.id == Walk().id


@pytest.mark.parametrize("name", list(FORMS)[1:])
def test_state_dictionaries_of_each_kind_are_one_policy(name, tmp_path):
    policy = edgerl.import_policy(written(tmp_path, name), "CartPole-v1", activation="relu")
    obs = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    wanted = foreign.outputs(STATE, ["0", "2", "4"], obs, lambda x: np.maximum(x, 0))
    np.testing.assert_allclose(policy.logits(obs), wanted, atol=1e-5)


def test_straight_into_an_export(tmp_path):
    policy = edgerl.import_policy(written(tmp_path), "CartPole-v1")
    obs = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    report = edgerl.export(policy, obs, tmp_path / "c", env="CartPole-v1")
    assert report["policy"]["sizes"] == list(SIZES)


def deployed(activation="tanh"):
    """An int8 perceptron, which reads CartPole's observations in one scale."""
    draw = np.random.default_rng(0)
    kernels = tuple(draw.normal(size=shape).astype(np.float32) for shape in ((4, 16), (16, 16), (16, 2)))
    policy = edgerl.MLPPolicy(kernels, tuple(np.zeros(k.shape[1], np.float32) for k in kernels), activation)
    obs = draw.uniform(-1, 1, (2000, 4)).astype(np.float32)
    return deploy.quantise(policy, obs), policy, obs


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_tflite_is_the_network_that_its_integers_stand_for(tmp_path, activation):
    from edgerl.deploy import calibration, perceptron

    _, policy, obs = deployed(activation)
    quantiser = calibration.Quantiser(np.full(4, 256, np.float32), np.zeros(4, np.int32))  # q = round(128 obs)
    graph = perceptron.quantised(policy, quantiser, calibration.representative_inputs(quantiser, obs, 1000))
    path = written(tmp_path, "model.tflite", tflite_file.write(graph))
    found = edgerl.import_policy(path, "CartPole-v1")
    assert (found.activation, found.sizes) == (activation, policy.sizes)
    wanted, made = np.asarray(policy.logits(obs)), np.asarray(found.logits(obs))
    assert np.abs(made - wanted).max() < 0.05 * np.abs(wanted).max()
    assert (made.argmax(1) == wanted.argmax(1)).mean() > 0.97


def test_what_a_file_does_not_say_must_be_given(tmp_path):
    with pytest.raises(UserError, match="does not say which activation is between its layers: --activation says it"):
        edgerl.import_policy(written(tmp_path, "state.npz"), "CartPole-v1")
    with pytest.raises(UserError, match="the activation is 'gelu'; known: relu, relu6, tanh, sigmoid"):
        edgerl.import_policy(written(tmp_path, "state.npz"), "CartPole-v1", activation="gelu")
    one = foreign.npz_file(foreign.network((4, 2), ["0"]))
    assert edgerl.import_policy(written(tmp_path, "one.npz", one), "CartPole-v1").sizes == (4, 2)


@pytest.mark.parametrize(
    ("name", "data", "options", "said"),
    [
        ("none.zip", None, {}, "none.zip does not exist"),
        ("a.pkl", b"\x80\x04N.", {}, r"a\.pkl is no file of a policy that is read \(a pickle is never loaded\)"),
        ("a.txt", b"text", {}, "a.txt is no file of a policy that is read: expected a zip of Stable-Baselines3"),
        ("a.bin", b"", {}, "a.bin is no file of a policy"),
        ("a.zip", foreign.zipped({"a": b""}), {}, "a.zip is no file of a policy"),
        ("a.zip", AGENT[:-9], {}, "a.zip is no readable zip archive"),
        ("a.zip", AGENT, {"prefix": "actor"}, "--prefix is for state dictionaries"),
        ("a.zip", AGENT, {"normaliser": "none.pkl"}, "none.pkl does not exist"),
        ("a.tflite", b"\x00\x00\x00\x00TFL3" + bytes(40), {}, "is not a usable int8 multilayer perceptron"),
        ("a.npz", foreign.npz_file({"kernel_0": np.eye(4), "activation": "tanh"}), {}, "edgerl.load_policy reads it"),
        ("a.npz", foreign.npz_file({"0.weight": np.array([None])}), {}, "pickled|plain arrays"),
        ("a.npz", foreign.npz_file({"0.weight": np.full((2, 4), 1e39)}), {}, "too large for float32"),
        (
            "a.npz",
            foreign.npz_file({"0.weight": np.full((2, 4), 1e308)}),
            {"normaliser": TINY},
            "too large for float32",
        ),
        ("a.npz", foreign.npz_file(STATE), {"activation": "relu", "prefix": "4."}, "no order of its layers"),
    ],
)
def test_a_file_that_cannot_be_used_leaves_nothing(tmp_path, name, data, options, said):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    if options.get("normaliser") is TINY:
        options = {"normaliser": written(tmp_path, "tiny.npz", TINY)}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=said) as caught:
        edgerl.import_policy(path, "CartPole-v1", tmp_path / "run", **options)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_and_a_huge_file_are_no_policies(tmp_path):
    with pytest.raises(UserError, match="is no file: name the file of a policy"):
        edgerl.import_policy(tmp_path, "CartPole-v1")
    path = tmp_path / "huge.zip"
    with path.open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(UserError, match="has more than 64 MiB: it is no policy for a microcontroller"):
        edgerl.import_policy(path, "CartPole-v1")


def test_an_array_that_unpacks_to_much_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **{"0.weight": np.zeros((2**12, 2**13))})
    with pytest.raises(UserError, match=r"0\.weight has shape \[4096, 8192\]: too large for a policy"):
        edgerl.import_policy(path, "CartPole-v1")


def test_the_folder_must_be_new_and_the_environment_known(tmp_path):
    with pytest.raises(UserError, match="exists already"):
        edgerl.import_policy(written(tmp_path), "CartPole-v1", tmp_path)
    with pytest.raises(UserError, match=r"unknown environment 'cartpole'; did you mean 'CartPole-v"):
        edgerl.import_policy(written(tmp_path), "cartpole", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["agent.zip"]


def test_a_mistake_on_the_command_line_is_one_line(tmp_path, capsys):
    arguments = ["import-policy", str(written(tmp_path, "state.npz")), "--env", "CartPole-v1", "--out"]
    assert cli.main([*arguments, str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("edgerl import-policy: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", FORMS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    draw, refused = random.Random(0), 0
    for _ in range(150):
        damaged = bytearray(FORMS[name])
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path = written(tmp_path, name, bytes(damaged[: draw.choice([len(damaged), draw.randrange(len(damaged))])]))
        try:
            edgerl.import_policy(path, "CartPole-v1", activation=None if name == "agent.zip" else "tanh")
        except UserError:
            refused += 1
    assert refused > 50
