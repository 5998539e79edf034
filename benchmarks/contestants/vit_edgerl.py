"""EdgeRL's contestant in `vit`: AgentViT's transformer, forward, backward and AdamW, many steps in one program."""

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
import jax.numpy as jnp
import numpy as np
import optax
from edgerl.tasks.agent_vit import model, optimising
from edgerl.tasks.agent_vit.model import ViTConfig

import vit_problem
from worker import Numbers, Prepared, serve, timed


def prepare(settings: Numbers) -> Prepared:
    """Settings: those of `vit_problem`, `heads` and `steps`."""
    head = settings["width"] // settings["heads"]
    shape = (4, settings["width"], settings["depth"], settings["heads"], head, settings["hidden"])
    network = model.make(ViTConfig(*shape, stem="conv", stem_width=settings["stem"]), 32, vit_problem.CLASSES)
    start = _filled(network, vit_problem.weights(settings))
    windows, rows, labels = map(jnp.asarray, vit_problem.batch(settings))

    def loss(params: object) -> jax.Array:
        logits = model.classify(network, params, windows, rows)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def train(count: jax.Array, params: object) -> tuple[jax.Array, object]:
        def step(_: int, carry: tuple) -> tuple:
            params, adam, first = carry
            found, grads = jax.value_and_grad(loss)(params)
            updates, adam = optimising.ADAM.update(grads, adam)
            params = optimising.move(params, updates, vit_problem.RATE, vit_problem.DECAY)
            return params, adam, jnp.where(first == 0, found, first)

        params, _, first = jax.lax.fori_loop(0, count, step, (params, optimising.ADAM.init(params), jnp.float32(0)))
        return first, params

    def run() -> Numbers:
        first = jax.block_until_ready(train(jnp.int32(settings["steps"]), start))[0]
        return {"steps": settings["steps"], "first_loss": float(first)}

    first, second = timed(run)["seconds"], timed(run)["seconds"]
    return Prepared(run, max(0.0, first - second), info={"edgerl": edgerl.__version__, "jax": jax.__version__})


def _filled(network: model.SimpleViT, kernels: dict[str, np.ndarray]) -> object:
    """Parameters with these kernels, scales of 1 and biases of 0."""
    shapes = jax.eval_shape(lambda key: model.initialise(network, key, 192), jax.random.key(0))

    def fill(path: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        owner, kind = path[-2].key, path[-1].key
        if kind == "kernel":
            return jnp.asarray(kernels[owner])
        return jnp.full(leaf.shape, float(kind == "scale"))

    return jax.tree_util.tree_map_with_path(fill, shapes)


if __name__ == "__main__":
    serve(prepare)
