"""The best of all latents made of codes, by trying them: 14^8 = 1.5e9.

Only these are tried, and not all networks of the search space, of which there are 1e25: actions set codes, and what no
latent decodes to, no agent finds. A coordinate that an agent leaves as its start had it may be none of the codes; such
latents are not tried. The decoder's first layer is linear: latents that differ in a few coordinates alone, a slab,
share the rest of its sums.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from edgerl.simulator.simulate import AXIS, default_mesh
from edgerl.simulator.xla import compiler_options
from edgerl.tasks.latent_nas.env import LatentNAS, LatentNASParams
from edgerl.tasks.latent_nas.models.model import LATENT, architecture, finished, narrowed
from edgerl.util.content import cache_by_content

_INNER = 3  # coordinates that vary within a slab: its arrays stay in a core's cache
_SLABS = 2048  # that a device tries in one call: Ctrl-C is heard in between


def best_of_codes(env: LatentNAS, params: LatentNASParams) -> tuple[float, np.ndarray]:
    """(score, latent float32 [8]) of the best of all latents made of codes: minutes on two cores."""
    mesh, book = default_mesh(), np.asarray(params.codebook)
    best, codes = -math.inf, np.zeros(LATENT, int)
    count = len(book) ** (LATENT - _INNER)
    call = mesh.size * min(_SLABS, -(-count // mesh.size))
    for start in range(0, count, call):
        slabs = np.minimum(np.arange(start, start + call), count - 1)
        scores, places = map(np.asarray, _search(env, mesh, compiler_options(mesh.devices))(params, slabs))
        top = int(np.argmax(scores))
        if scores[top] > best:
            best = float(scores[top])
            codes[:_INNER] = _digits(places[top], len(book), _INNER)
            codes[_INNER:] = _digits(slabs[top], len(book), LATENT - _INNER)
    return best, book[codes, np.arange(LATENT)]


@cache_by_content(maxsize=8)
def _search(env: LatentNAS, mesh: Mesh, options: dict[str, Any] | None) -> Callable[..., tuple[chex.Array, chex.Array]]:
    """The compiled search of slabs int32 [S], a share on each device: best scores [S] and where in the slab."""
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def on_device(params: LatentNASParams, slabs: chex.Array) -> tuple[chex.Array, chex.Array]:
        first, *rest = narrowed(params.decoder, env.parts(params))
        book = jnp.asarray(params.codebook)
        # What each code of each coordinate adds to the first layer's sums: [8, 14, H].
        adds = book.T[:, :, None] * jnp.asarray(first.kernel).T[:, None]
        inner = _digits(np.arange(len(book) ** _INNER), len(book), _INNER)
        shared = (sum(adds[d][digits] for d, digits in enumerate(inner)) + first.bias).T  # [H, 14^3]

        def one(slab: chex.Array) -> tuple[chex.Array, chex.Array]:
            outer = _digits(slab, len(book), LATENT - _INNER)
            same = jnp.stack([adds[_INNER + d][digit] for d, digit in enumerate(outer)]).sum(0)
            sums = shared + same[:, None]
            scores = env.score_of(architecture(finished(rest, sums), env.parts(params)), params)
            return jnp.max(scores), jnp.argmax(scores)

        return jax.lax.map(one, slabs)

    mapped = jax.shard_map(on_device, mesh=mesh, in_specs=(whole, split), out_specs=(split, split), check_vma=False)
    return jax.jit(mapped, compiler_options=options)


def _digits(numbers: chex.Array, base: int, count: int) -> list[chex.Array]:
    """The last `count` digits of whole numbers, the last first."""
    return [numbers // base**d % base for d in range(count)]
