"""PatchSelection-v0: a step is one training step of a vision transformer, on the patches that the action chooses.

State: the network, its optimiser, the place in the data and the key that orders and augments it. What the data are does
not depend on the actions, so that two agents see the same batches.
Observation: what `selection.view` shows of the next batch, float32 [B, N] or [B, N, F]; with one mask for the batch its
mean over the images, [N] or [N, F].
Action: a score for each patch, float32 [B, N], or [N] with one mask for the batch.
Reward, as in AgentViT: loss_weight L_first / L + time_weight (-|left out - ideal| / ideal), where `left out` patches of
N were not chosen and ideal = N - n_patch_desired.
Truncated: `max_steps_in_episode` steps went by. Never terminated.
"""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box
from edgerl.tasks.agent_vit import optimising, selection
from edgerl.tasks.agent_vit.data import augment, normalise
from edgerl.tasks.agent_vit.model import SimpleViT, classify, cut, initialise
from edgerl.tasks.agent_vit.reducing import Reduction, reduced
from edgerl.util.content import ByContent


@struct.dataclass
class PatchSelectionParams:
    """The data and what may be varied without compiling anew."""

    images: chex.Array  # uint8 [M, S, S, 3]
    labels: chex.Array  # int32 [M]
    learning_rate: chex.Numeric = 1e-3  # of the transformer, at its highest
    weight_decay: chex.Numeric = 0.0  # decoupled from the gradient, of kernels
    warmup: chex.Numeric = 0.0  # the part of an episode in which the rate rises, under the schedule "cosine"
    average: chex.Numeric = 0.0  # decay of the running mean of its parameters, which is what is judged; 0: no mean
    loss_weight: chex.Numeric = 1.0
    time_weight: chex.Numeric = 20.0
    max_steps_in_episode: chex.Numeric = 1000


@struct.dataclass
class PatchSelectionState:
    """Where a training stands."""

    network: Any  # the transformer's parameters
    mean: Any  # their running mean
    optimiser: optax.OptState
    order: chex.Array  # int32 [M], of the images in this epoch
    patches: chex.Array  # float32 [B, N, P]: the next batch
    labels: chex.Array  # int32 [B]
    first_loss: chex.Array  # float32
    time: chex.Array  # int32
    key: chex.PRNGKey


@dataclasses.dataclass(frozen=True, eq=False)
class PatchSelection(ByContent):
    """The environment; see the module's docstring. Make it with `edgerl.make("PatchSelection-v0")`.

    Attributes:
      network: the transformer.
      batch: images a step.
      sees: one of `selection.VIEWS`.
      mask: "image", a mask for each, or "batch", one for all.
      rule: "top", the `n_patch_desired` highest scores; "mean", all scores that reach their mean, as in AgentViT.
      phases: numbers of patches of equally long parts of an episode under the rule "top"; usually one.
      drawn: numbers of patches of which each step draws one under the rule "top"; usually none.
      full_every: every so many steps all patches are taken, whatever the action; 0: never.
      sizes: numbers of patches that a step is compiled for, ascending, N the last; the rule "mean" fills up to one.
      reduction: how tokens get fewer from block to block; none: not at all.
      credited: whether `info["credit"]` [B, N] tells what each patch had to do with the loss, see `train`.
      augmented: whether images are cropped and flipped.
      schedule: of the learning rate over an episode, one of `optimising.SCHEDULES`.
      label_smoothing: the part of a label that all classes share.
    """

    default_params: PatchSelectionParams = dataclasses.field(repr=False)
    network: SimpleViT
    batch: int = 64
    sees: str = "attention"
    mask: str = "batch"
    rule: str = "mean"
    n_patch_desired: int = 30
    phases: tuple[int, ...] = ()
    drawn: tuple[int, ...] = ()
    full_every: int = 0
    sizes: tuple[int, ...] = (64,)
    reduction: Reduction | None = None
    credited: bool = False
    augmented: bool = True
    schedule: str = "constant"
    label_smoothing: float = 0.0
    id: str = "PatchSelection-v0"

    @property
    def patches(self) -> int:
        """N, patches of an image."""
        return self.network.grid**2

    @property
    def observation_names(self) -> tuple[str, ...]:
        """What the numbers along an observation's last axis are, for an exported header."""
        return selection.names(self.sees, self.patches)

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the numbers along an action's last axis are."""
        grid = self.network.grid
        return tuple(f"score of the patch in row {i // grid}, column {i % grid}" for i in range(self.patches))

    def observation_space(self, params: PatchSelectionParams | None = None) -> Box:
        """Not bounded."""
        lead = (self.batch, self.patches) if self.mask == "image" else (self.patches,)
        features = (selection.PIXEL_FEATURES + self.patches,) if self.sees == "pixels" else ()
        return Box(-jnp.inf, jnp.inf, (*lead, *features))

    def action_space(self, params: PatchSelectionParams | None = None) -> Box:
        """Scores between -1 and 1 when drawn at random; any finite ones are taken."""
        return Box(-1.0, 1.0, (self.batch, self.patches) if self.mask == "image" else (self.patches,))

    def reset(
        self, key: chex.PRNGKey, params: PatchSelectionParams | None = None
    ) -> tuple[chex.Array, PatchSelectionState]:
        """An untrained network before the first batch. The key is consumed."""
        p = self.default_params if params is None else params
        network_key, key = jax.random.split(key)
        width = 3 * self.network.config.window**2
        network = initialise(self.network, network_key, width)
        order = jnp.arange(len(p.labels), dtype=jnp.int32)
        blank = jnp.zeros((self.batch, self.patches, width)), jnp.zeros(self.batch, jnp.int32)
        state = PatchSelectionState(
            network, network, optimising.ADAM.init(network), order, *blank, jnp.float32(0), jnp.int32(0), key
        )
        state = self._load(state, p)
        return self.observe(state), state

    def step(
        self,
        key: chex.PRNGKey,
        state: PatchSelectionState,
        action: chex.Array,
        params: PatchSelectionParams | None = None,
    ) -> Step:
        """One training step on the chosen patches. Deterministic given the state: the key is not used."""
        del key
        p = self.default_params if params is None else params
        scores = jnp.broadcast_to(action, (self.batch, self.patches))
        which, count = self._size(state.key, state.time, scores, p)
        branches = [lambda n=size: self.gradients(state, scores, n) for size in self.sizes]
        grads, seen = jax.lax.switch(which, branches)
        state = self.update(state, grads, p)
        loss = seen["loss"]
        first = jnp.where(state.time == 0, loss, state.first_loss)
        info = {**seen, "patches": count, "size": which}
        state = self._load(dataclasses.replace(state, first_loss=first, time=state.time + 1), p)
        truncated = state.time >= p.max_steps_in_episode
        return self.observe(state), state, self.reward(first, loss, count, p), jnp.asarray(False), truncated, info

    def reward(
        self, first: chex.Numeric, loss: chex.Numeric, chosen: chex.Numeric, params: PatchSelectionParams
    ) -> chex.Array:
        """float32, from the first loss, this step's, and how many patches were chosen."""
        ideal = self.patches - self.n_patch_desired
        distance = jnp.abs(self.patches - chosen - ideal) / max(ideal, 1)
        return jnp.asarray(params.loss_weight * first / jnp.maximum(loss, 1e-8) - params.time_weight * distance)

    def observe(self, state: PatchSelectionState) -> chex.Array:
        """What the agent sees of the state's batch."""
        seen = selection.view(self.sees, self.network, state.network, state.patches)
        return seen if self.mask == "image" else seen.mean(axis=0)

    def gradients(self, state: PatchSelectionState, scores: chex.Array, size: int) -> tuple[Any, dict[str, chex.Array]]:
        """Of the loss on the `size` patches with the highest of the scores [B, N], and what was seen.

        "loss" and "correct" are the batch's mean loss and share. "credit" [B, N], where it is asked for, is by how much
        an image's loss falls as a patch's weight rises from 1, at first order; 0 for patches that were not chosen. It
        comes from the same backward pass, and with a minus sign is what the loss would rise by if the patch were left
        out.
        """
        rows = selection.top(scores, size)
        weights = jnp.ones(rows.shape) if self.credited else None
        if self.rule == "mean":
            chosen = selection.above_mean(scores)
            weights = jnp.take_along_axis(chosen, rows, axis=1).astype(jnp.float32)
        patches = selection.gather(state.patches, rows)

        def objective(network: Any, weights: chex.Array | None) -> tuple[chex.Array, dict[str, chex.Array]]:
            if self.reduction is None:
                logits = classify(self.network, network, patches, rows, weights)
            else:
                logits = reduced(self.network, network, patches, rows, self.reduction)
            loss = self._loss(logits, state.labels).mean()
            return loss, {"loss": loss, "correct": (logits.argmax(-1) == state.labels).mean(dtype=jnp.float32)}

        if self.credited:
            (grads, slopes), seen = jax.grad(objective, argnums=(0, 1), has_aux=True)(state.network, weights)
            seen["credit"] = selection.placed(-slopes * self.batch, rows, self.patches)
        else:
            grads, seen = jax.grad(objective, has_aux=True)(state.network, weights)
        return grads, seen

    def update(self, state: PatchSelectionState, grads: Any, params: PatchSelectionParams) -> PatchSelectionState:
        """The state after a step of AdamW."""
        updates, optimiser = optimising.ADAM.update(grads, state.optimiser)
        share = optimising.share(self.schedule, params.warmup, state.time, params.max_steps_in_episode)
        network = optimising.move(state.network, updates, params.learning_rate * share, params.weight_decay)
        # Early on the mean is over as many steps as there were.
        decay = jnp.minimum(params.average, (state.time + 1) / (state.time + 10))
        mean = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.mean, network)
        return dataclasses.replace(state, network=network, mean=mean, optimiser=optimiser)

    def _loss(self, logits: chex.Array, labels: chex.Array) -> chex.Array:
        """float32 [B]: the cross entropy of each image."""
        if not self.label_smoothing:
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        wanted = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), self.label_smoothing)
        return optax.softmax_cross_entropy(logits, wanted)

    def _size(
        self, key: chex.PRNGKey, time: chex.Array, scores: chex.Array, params: PatchSelectionParams
    ) -> tuple[chex.Array, chex.Array]:
        """(index into `sizes`, mean number of chosen patches) of a step."""
        if self.rule == "mean":
            counts = selection.above_mean(scores).sum(axis=1)
            which = jnp.searchsorted(jnp.asarray(self.sizes), counts.max())
            return which.astype(jnp.int32), counts.mean(dtype=jnp.float32)
        phases = self.phases or (self.n_patch_desired,)
        part = jnp.clip(time * len(phases) // params.max_steps_in_episode, 0, len(phases) - 1).astype(jnp.int32)
        if self.drawn:
            phases = self.drawn
            drawing_key = jax.random.fold_in(jax.random.fold_in(key, time), len(phases))
            part = jax.random.randint(drawing_key, (), 0, len(phases))
        which = jnp.asarray([self.sizes.index(size) for size in phases], jnp.int32)[part]
        if self.full_every:
            which = jnp.where(time % self.full_every == self.full_every - 1, len(self.sizes) - 1, which)
        return which, jnp.asarray(self.sizes, jnp.float32)[which]

    def _load(self, state: PatchSelectionState, params: PatchSelectionParams) -> PatchSelectionState:
        """The state with the batch that its time names; a new order at the start of an epoch."""
        batches = len(params.labels) // self.batch
        place = state.time % batches
        order_key, augment_key = jax.random.split(jax.random.fold_in(state.key, state.time))
        order = jax.lax.cond(
            place == 0, lambda order: jax.random.permutation(order_key, len(order)), lambda order: order, state.order
        )
        rows = jax.lax.dynamic_slice_in_dim(order, place * self.batch, self.batch)
        images = params.images[rows]
        if self.augmented:
            images = augment(augment_key, images)
        patches = cut(self.network.config, normalise(images))
        return dataclasses.replace(state, order=order, patches=patches, labels=params.labels[rows])
