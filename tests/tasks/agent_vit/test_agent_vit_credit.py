"""The agent with its default settings finds the patches that carry the label, wherever they are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.agent_vit import data, methods, selection
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.evaluate import choose
from edgerl.tasks.agent_vit.model import ViTConfig, patchify

pytestmark = pytest.mark.usefixtures("quick_compile")

STEPS, INFORMATIVE = 500, 8
SMALL = ViTConfig(patch_size=4, att_dim=16, depth=1, heads=1, dim_head=16, mlp_dim=32)


@pytest.fixture(scope="module")
def learn():
    """What the agent chooses of new images after 500 steps on a set of images, and where their label is."""
    settings = methods.AgentViTConfig(
        source="synthetic", n_patch_desired=INFORMATIVE, augment=False, vit=SMALL, learning_rate=3e-3
    )
    env, agent = methods.make("policy", settings, data.synthetic(4096, 64)[0])

    def run(seed):
        splits, places = data.synthetic(4096, 64, seed=seed)
        shown = {"images": jnp.asarray(splits.train.images), "labels": jnp.asarray(splits.train.labels)}
        params = dataclasses.replace(env.default_params, **shown)
        running = online.start(env, agent, jax.random.key(seed), params)
        running, _ = online.update(env, agent, running, params, jnp.int32(STEPS), STEPS)
        patches = patchify(data.normalise(jnp.asarray(splits.test.images)), env.network.config.patch_size)
        return np.asarray(choose(env, agent, running.agent, running.env.mean, patches, jax.random.key(7))[1]), places

    return run


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 5])
def test_at_least_seven_of_eight_patches_are_found(learn, seed):
    chosen, places = learn(seed)
    assert selection.layouts(64, INFORMATIVE)[:, places].sum(axis=1).max() <= 4  # no layout knows them
    assert chosen[:, places].sum(axis=1).mean() >= 7
