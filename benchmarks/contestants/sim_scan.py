"""gymnax's contestant in `sim`, and any environment's with its interface: a jitted scan over the vmapped `env.step`.

As gymnax's documentation does it: a key for each environment and step by `split`, the reset inside `step`. To be as
fast as it gets, random actions are one draw for all environments, nothing is stored, and of the statistics only the
number of episodes is kept. With more than one device, each runs such a scan on its share (`shard_map`), and the
compiler's options may be those that edgerl gives itself.
"""

import functools
from collections.abc import Callable
from importlib.metadata import version

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from network import gru_weights, weights
from worker import Numbers, Prepared, compiled, serve


def make(settings: Numbers) -> tuple[object, object]:
    """(environment with gymnax's `step`, its parameters)."""
    if settings["library"] == "gymnax":
        import gymnax

        return gymnax.make(settings["env"])
    import house

    env = house.with_reset(settings["env"])
    return env, env.default_params


Policy = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def decide(settings: Numbers, inputs: int, actions: int) -> Policy:
    """`(key, observations [N, inputs], memory [N, units]) -> actions [N], memory`; units may be 0."""
    if settings["memory"]:
        return remembering(*gru_weights(inputs, settings["memory"], actions))
    if not settings["network"]:
        if actions == 2:
            return lambda key, obs, memory: (jax.random.bernoulli(key, shape=obs.shape[:1]).astype(jnp.int32), memory)
        return lambda key, obs, memory: (jax.random.randint(key, obs.shape[:1], 0, actions), memory)
    kernels, biases = weights((inputs, *settings["network"], actions))
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[settings["activation"]]

    def network(key: jax.Array, obs: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            obs = activation(obs @ kernel + bias)
        return jnp.argmax(obs @ kernels[-1] + biases[-1], axis=-1), memory

    return network


def remembering(kernels: list, biases: list) -> Policy:
    """A gated recurrent unit and a layer that decides, as edgerl's `GRUPolicy`."""

    def network(key: jax.Array, obs: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        both = jnp.concatenate([obs, memory], axis=-1)
        update, reset = (jax.nn.sigmoid(both @ k + b) for k, b in zip(kernels[:2], biases[:2], strict=True))
        candidate = jnp.tanh(jnp.concatenate([obs, reset * memory], axis=-1) @ kernels[2] + biases[2])
        memory = candidate + update * (memory - candidate)
        return jnp.argmax(memory @ kernels[3] + biases[3], axis=-1), memory

    return network


def scan(settings: Numbers, num_envs: int) -> Callable[[jax.Array], jax.Array]:
    """`key -> episodes finished`, int32 scalar, in `num_envs` environments."""
    env, params = make(settings)
    policy = decide(settings, env.observation_space(params).shape[0], env.num_actions)

    def body(carry: tuple, _: None) -> tuple[tuple, None]:
        key, obs, state, memory, episodes = carry
        key, action_key, step_key = jax.random.split(key, 3)
        keys = jax.random.split(step_key, num_envs)
        action, memory = policy(action_key, obs, memory)
        obs, state, _, terminated, truncated, _ = jax.vmap(env.step, (0, 0, 0, None))(keys, state, action, params)
        done = terminated | truncated
        memory = jnp.where(done[:, None], 0, memory)
        return (key, obs, state, memory, episodes + jnp.sum(done, dtype=jnp.int32)), None

    def run(key: jax.Array) -> jax.Array:
        key, reset_key = jax.random.split(key)
        obs, state = jax.vmap(env.reset, (0, None))(jax.random.split(reset_key, num_envs), params)
        memory = jnp.zeros((num_envs, settings["memory"]))
        return jax.lax.scan(body, (key, obs, state, memory, jnp.int32(0)), None, settings["num_steps"])[0][-1]

    return run


def prepare(settings: Numbers) -> Prepared:
    """Settings: `library`, `env`, `network`, `activation`, `memory`, `num_envs`, `num_steps`, `devices`, `options`."""
    num_envs, devices = settings["num_envs"], settings["devices"]
    jit = functools.partial(jax.jit, compiler_options=settings["options"])
    one = scan(settings, num_envs // devices)
    if devices == 1:
        keys, program = jax.random.key(0), jit(one)
    else:
        mesh = jax.make_mesh((devices,), ("env",), axis_types=(jax.sharding.AxisType.Auto,))
        spec = PartitionSpec("env")
        keys = jax.random.split(jax.random.key(0), devices)
        sharded = jax.shard_map(lambda k: one(k[0])[None], mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
        program = jit(sharded)

    def run() -> Numbers:
        episodes = jax.block_until_ready(program(keys))
        return {"steps": num_envs * settings["num_steps"], "episodes": int(episodes.sum())}

    versions = {name: version(name) for name in {settings["library"], "jax"}}
    return compiled(run, **versions, backend=jax.default_backend())


if __name__ == "__main__":
    serve(prepare)
