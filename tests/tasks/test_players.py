"""Which environment the policy of a folder plays in: runs and exports written by hand, which have learnt nothing."""

import itertools
import json

import numpy as np
import pytest
import yaml

from edgerl import UserError, open_run
from edgerl.envs.policy import MLPPolicy
from edgerl.envs.policy_file import save_policy
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run import run_folder
from edgerl.tasks import players, simulation
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.early_exit.config import EarlyExitConfig, environment
from edgerl.tasks.latent_nas.task import LatentNASConfig
from edgerl.util import config as configuration

EXITS, NAS, POLE = "EarlyExit-v0", "LatentNAS-v0", "CartPole-v1"


def write(folder, features, actions, settings=None, params=None, **about):
    """A run, or an export where there are no settings to write."""
    folder.mkdir()
    sizes = (features, 8, actions)
    kernels = tuple(np.ones(shape, np.float32) for shape in itertools.pairwise(sizes))
    save_policy(folder / "policy.npz", MLPPolicy(kernels, tuple(np.zeros(n, np.float32) for n in sizes[1:]), "tanh"))
    if settings is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(configuration.as_dict(settings)))
        (folder / "run.json").write_text(json.dumps({**about, "env_params": params}))
    else:
        (folder / "report.json").write_text(json.dumps(about))
    return str(folder)


def test_a_run_with_options_plays_as_it_was_trained(tmp_path):
    settings = EarlyExitConfig(profile="low_power", extras=("agreement", "margin"))
    env = environment(settings)
    params = run_folder.describe(env.default_params)
    run = write(tmp_path / "run", 6, 2, settings, params, system="early-exit", environment=EXITS)
    assert players.of_folder(run, EXITS)[0] == env
    assert simulation.simulate(EXITS, run, 8, 10, 0)["episodes"] > 0


def test_an_export_of_another_name(tmp_path):
    """`--name` names its files, too."""
    folder = tmp_path / "export"
    write(folder, 4, 2, name="pole", environment={"id": POLE})
    (folder / "policy.npz").rename(folder / "pole.npz")
    assert players.of_folder(str(folder), POLE)[1].sizes == (4, 8, 2)


def test_so_does_an_export_of_it(tmp_path):
    settings = EarlyExitConfig(preference=True)
    said = {
        "environment": {"id": EXITS},
        "run": {"system": "early-exit", "configuration": configuration.as_dict(settings)},
    }
    made = players.of_folder(write(tmp_path / "export", 8, 2, **said), EXITS)[0]
    assert made == environment(settings)


def test_an_export_that_does_not_say_its_options(tmp_path):
    export = write(tmp_path / "export", 7, 2, environment={"id": EXITS})
    with pytest.raises(
        UserError, match=r"7 features and 2 actions; EarlyExit-v0 as it is made here has observations \(4"
    ):
        players.of_folder(export, EXITS)
    assert players.of_folder(write(tmp_path / "plain", 4, 2, environment={"id": EXITS}), EXITS)[0].id == EXITS


def test_latent_nas_plays_by_the_runs_own_options(tmp_path):
    run = write(tmp_path / "run", 10, 113, LatentNASConfig(history=2), system="latent-nas", environment=NAS)
    assert players.of_folder(run, NAS)[0].observation_space().shape == (10,)  # and not 8, as without a history
    said = {"system": "latent-nas", "configuration": {"data": "mine.csv"}}
    export = write(tmp_path / "export", 8, 113, environment={"id": NAS}, run=said)
    with pytest.raises(UserError, match=r"made from mine\.csv, whose networks are in the run's folder"):
        players.of_folder(export, NAS)


def test_a_table_or_profile_that_was_changed_since_is_told(tmp_path):
    params = run_folder.describe(environment(EarlyExitConfig()).default_params) | {"max_macs": 1.0}
    run = write(tmp_path / "run", 7, 2, EarlyExitConfig(), params, system="early-exit", environment=EXITS)
    with pytest.raises(UserError, match="its environment is not what it was in training, max_macs changed"):
        players.of_folder(run, EXITS)


@pytest.mark.parametrize(("trained", "asked"), [(EXITS, POLE), (POLE, EXITS), ("Five-v0", POLE)])
def test_another_environment_is_refused_by_both_names(tmp_path, trained, asked):
    """Four features and two actions have both: only the names tell."""
    run = write(tmp_path / "run", 4, 2, RunConfig(), environment=trained)
    with pytest.raises(UserError, match=f"trained in {trained}, which is not {asked}"):
        players.of_folder(run, asked)


def test_another_version_of_the_environment_is_no_other(tmp_path):
    run = write(tmp_path / "run", 4, 2, RunConfig(), system="cartpole", environment="CartPole-v0")
    assert players.of_folder(run, POLE)[0].id == POLE


def test_more_actions_than_there_are(tmp_path):
    run = write(tmp_path / "run", 4, 3, RunConfig(), system="cartpole", environment=POLE)
    with pytest.raises(UserError, match=r"4 features and 3 actions; CartPole-v1 .* 2 actions"):
        players.of_folder(run, POLE)


def test_a_policy_of_single_patches_plays_no_environment(tmp_path):
    run = write(tmp_path / "run", 6, 2, AgentViTConfig(), system="agent-vit", environment="PatchSelection-v0")
    with pytest.raises(UserError, match="decides of one patch at a time"):
        players.of_folder(run, "PatchSelection-v0")


def test_a_run_of_an_environment_that_only_a_program_has_says_what_can_be_done(tmp_path):
    run = write(tmp_path / "run", 1, 2, RunConfig(), environment="Five-v0")
    with pytest.raises(UserError, match=r"trained in 'Five-v0', an environment that its own program made.*env=…"):
        open_run(run)


@pytest.mark.parametrize("name", ["unknown", "nowhere.py:make", "no.such.module:Pole"])
def test_a_run_whose_environment_is_gone_says_so(tmp_path, name):
    run = write(
        tmp_path / "run",
        1,
        2,
        RunConfig(environment=name, ppo=PPOConfig(hidden_sizes=(8,))),
        environment="Five-v0",
        system=name,
    )
    (tmp_path / "run" / "result.json").write_text('{"best_seed": 0}')
    with pytest.raises(UserError, match=r"nothing is called|cannot read|there is no module"):
        open_run(run).evaluate()


@pytest.mark.parametrize("text", ["", "[]", "{", "5", '{"system": 5, "environment": "a"}', '{"system": "cartpole"}'])
def test_a_damaged_run_json_is_named(tmp_path, text):
    run = write(tmp_path / "run", 4, 2, RunConfig(), environment=POLE)
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(UserError, match=r"run\.json is (damaged|not readable)"):
        open_run(run)
    with pytest.raises(UserError, match=r"run\.json is (damaged|not readable)"):
        players.of_folder(run, POLE)
