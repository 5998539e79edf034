"""What a trained transformer knows of fewer patches: accuracy against multiply-accumulates at inference.

The transformer was trained on all patches. Before the first block patches are left out by a method that does not learn;
from block to block tokens are dropped or merged. What choosing costs counts.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.agent_vit import evaluate, methods, reducing, training
from edgerl.tasks.agent_vit.data import Images, Splits, normalise
from edgerl.tasks.agent_vit.env import PatchSelection
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.agent_vit.model import classify, cut
from edgerl.tasks.agent_vit.reducing import KINDS, Reduction
from edgerl.tasks.agent_vit.selection import gather
from edgerl.tasks.hardware.cost import count_macs

CHOOSING = ("random", "chessboard", "centre", "norm", "attention")
Answers = Callable[[Any, chex.Array, chex.PRNGKey], chex.Array]  # parameters, patches [B, N, P], key -> logits


def curve(settings: AgentViTConfig, splits: Splits, run: Path) -> list[dict[str, Any]]:
    """Of the first seed's full transformer in a run: what each way reaches at each of `settings.curve`.

    Returns:
      "way", "patches" (of merging and dropping, the number whose cost their own is nearest to from below), "macs" of an
      image, choosing included, and "accuracy".
    """
    member = methods.member(settings, splits, "full", settings.seed)
    params = training.load(member, run, splits).env.mean
    rows = []
    for count in settings.curve:
        for way in (*CHOOSING, *KINDS):
            way_answers = answers(way, count, settings, splits, params)
            rows.append({"way": way, "patches": count, **judged(member.env, way_answers, params, splits.test)})
    return rows


def judged(env: PatchSelection, answers: Answers, params: Any, test: Images) -> dict[str, float]:
    """ "macs" of an image and "accuracy" on the test images."""

    @jax.jit
    def said(params: Any, images: chex.Array, number: chex.Array) -> chex.Array:
        patches = cut(env.network.config, normalise(images))
        return answers(params, patches, jax.random.fold_in(jax.random.key(0), number)).argmax(-1)

    shape = jax.ShapeDtypeStruct((env.batch, env.patches, 3 * env.network.config.window**2), jnp.float32)
    macs = count_macs(answers, params, shape, jax.random.key(0)) / env.batch
    batches = enumerate(evaluate.batches(test.images, env.batch))
    classes = np.concatenate([np.asarray(said(params, images, np.uint32(number))) for number, images in batches])
    return {"macs": macs, "accuracy": float((classes[: len(test.labels)] == test.labels).mean())}


def answers(way: str, count: int, settings: AgentViTConfig, splits: Splits, params: Any) -> Answers:
    if way in KINDS:
        env, _ = methods.make("full", settings, splits)
        reduction = reducing.matching(env.network, params, 3 * settings.vit.window**2, count, way)
        return functools.partial(_reduced, env, reduction)
    env, agent = methods.make(way, dataclasses.replace(settings, n_patch_desired=count), splits)
    return functools.partial(_chosen, env, agent, count)


def _reduced(
    env: PatchSelection, reduction: Reduction, params: Any, patches: chex.Array, key: chex.PRNGKey
) -> chex.Array:
    rows = jnp.broadcast_to(jnp.arange(env.patches), patches.shape[:2])
    return reducing.reduced(env.network, params, patches, rows, reduction)


def _chosen(
    env: PatchSelection, agent: Any, count: int, params: Any, patches: chex.Array, key: chex.PRNGKey
) -> chex.Array:
    chosen = evaluate.choose(env, agent, (), params, patches, key)[1]
    rows = jnp.nonzero(chosen, size=len(patches) * count)[1].reshape(len(patches), count)
    return classify(env.network, params, gather(patches, rows), rows)
