"""How well a trained transformer classifies, with all patches and with those that an agent chooses."""

from collections.abc import Callable, Iterator
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.agent_vit import selection
from edgerl.tasks.agent_vit.data import Images, normalise
from edgerl.tasks.agent_vit.env import PatchSelection
from edgerl.tasks.agent_vit.model import classify, cut
from edgerl.tasks.agent_vit.reducing import reduced
from edgerl.util.content import jit_by_content


def choose(
    env: PatchSelection, agent: Any, known: Any, network: Any, patches: chex.Array, key: chex.PRNGKey
) -> tuple[chex.Array, chex.Array]:
    """(scores [B, N], chosen bool [B, N]) of the agent without exploration, for a batch of patches [B, N, P]."""
    seen = selection.view(env.sees, env.network, network, patches)
    scores = agent.greedy(key, known, seen if env.mask == "image" else seen.mean(axis=0))
    scores = jnp.broadcast_to(scores, patches.shape[:2])
    if env.rule == "mean":
        return scores, selection.above_mean(scores)
    rows = selection.top(scores, env.n_patch_desired)
    return scores, jnp.zeros(scores.shape, bool).at[jnp.arange(len(rows))[:, None], rows].set(True)


@jit_by_content("env", "agent")
def _batch(
    env: PatchSelection, agent: Any, known: Any, network: Any, images: chex.Array, number: chex.Array
) -> tuple[chex.Array, ...]:
    patches = cut(env.network.config, normalise(images))
    _, chosen = choose(env, agent, known, network, patches, jax.random.fold_in(jax.random.key(0), number))
    rows = jnp.broadcast_to(jnp.arange(env.patches), chosen.shape)
    answers = [classify(env.network, network, patches, rows)]
    if env.reduction is not None:
        answers.append(reduced(env.network, network, patches, rows, env.reduction))
    elif env.rule == "mean":
        answers.append(classify(env.network, network, patches, rows, chosen.astype(jnp.float32)))
    else:
        own = jnp.nonzero(chosen, size=chosen.shape[0] * env.n_patch_desired)[1].reshape(len(chosen), -1)
        answers.append(classify(env.network, network, selection.gather(patches, own), own))
    return jnp.stack(answers).argmax(-1), chosen


def predict(
    env: PatchSelection, agent: Any, known: Any, network: Any, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(classes int [2, M] with all patches and with the agent's own, chosen bool [M, N]) for uint8 images [M, S, S, 3].

    In batches as in training, since one mask may hold for a batch; the last is filled up with the first images. The
    same images get the same answers: a choice by chance is drawn anew for every batch, from a fixed key.
    """
    parts = [
        _batch(env, agent, known, network, batch, np.uint32(number))
        for number, batch in enumerate(batches(images, env.batch))
    ]
    answers, chosen = (np.concatenate([np.asarray(p[j]) for p in parts], axis=1 - j) for j in (0, 1))
    return answers[:, : len(images)], chosen[: len(images)]


def evaluate_agent(
    env: PatchSelection, agent: Any, known: Any, network: Any, test: Images, classes: int
) -> dict[str, Any]:
    """Accuracy, precision, recall and F1 with all patches ("all") and with the agent's own ("own"), and how many."""
    answers, chosen = predict(env, agent, known, network, test.images)
    named = {name: scores(test.labels, a, classes) for name, a in zip(("all", "own"), answers, strict=True)}
    return {**named, "patches": float(chosen.sum(axis=1).mean())}


def evaluate_masks(
    env: PatchSelection, network: Any, masks: Callable[[chex.Array], chex.Array], test: Images
) -> dict[str, float]:
    """Accuracy where `masks` chooses, bool [B, N] for what the agent sees of a batch, and the mean number chosen."""

    @jax.jit
    def answers(images: chex.Array) -> tuple[chex.Array, chex.Array]:
        patches = cut(env.network.config, normalise(images))
        seen = selection.view(env.sees, env.network, network, patches)
        chosen = jnp.broadcast_to(masks(seen if env.mask == "image" else seen.mean(axis=0)), patches.shape[:2])
        rows = jnp.broadcast_to(jnp.arange(env.patches), chosen.shape)
        logits = classify(env.network, network, patches, rows, chosen.astype(jnp.float32))
        return logits.argmax(-1), chosen.sum(axis=1)

    parts = [answers(batch) for batch in batches(test.images, env.batch)]
    said, counts = (np.concatenate([np.asarray(p[j]) for p in parts])[: len(test.labels)] for j in (0, 1))
    return {"accuracy": float((said == test.labels).mean()), "patches": float(counts.mean())}


def scores(labels: np.ndarray, answers: np.ndarray, classes: int) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 as means over the classes (a class that is never answered: 0)."""
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (labels, answers), 1)
    right = np.diag(confusion)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    f1 = 2 * right / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    means = {"precision": precision, "recall": recall, "f1": f1}
    return {"accuracy": float(right.sum() / len(labels)), **{name: float(x.mean()) for name, x in means.items()}}


def batches(images: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """All images in batches of one size; the last is filled up with the first images."""
    for start in range(0, len(images), batch):
        yield np.take(images, np.arange(start, start + batch) % len(images), axis=0)
