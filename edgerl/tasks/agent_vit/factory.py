"""Makes PatchSelection-v0 from images."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp

from edgerl.tasks.agent_vit import model, selection
from edgerl.tasks.agent_vit.data import Images, load_cifar10, synthetic
from edgerl.tasks.agent_vit.env import PatchSelection, PatchSelectionParams
from edgerl.tasks.agent_vit.model import ViTConfig
from edgerl.util.errors import UserError

TINY = ViTConfig(patch_size=2, att_dim=8, depth=1, heads=1, dim_head=8, mlp_dim=16)


def patch_selection_v0(data: str | Path | None = None, vit: ViTConfig | None = None, **options: Any) -> PatchSelection:
    """What `edgerl.make("PatchSelection-v0")` calls.

    Args:
      data: folder of CIFAR-10's official binary files; None: a synthetic set of small images, and a tiny transformer.
      vit: the transformer.
      options: the other arguments of `from_images`.
    """
    if data is None:
        splits, _ = synthetic(256, 64, side=16, patch_size=2)
        return from_images(splits.train, splits.classes, vit or TINY, **{"batch": 8, "augmented": False, **options})
    splits = load_cifar10(data)
    return from_images(splits.train, splits.classes, vit or ViTConfig(), **options)


def from_images(
    images: Images,
    classes: int,
    vit: ViTConfig,
    *,
    n_patch_desired: int = 30,
    rule: str = "mean",
    phases: tuple[int, ...] = (),
    drawn: tuple[int, ...] = (),
    full_every: int = 0,
    params: dict[str, Any] | None = None,
    **options: Any,
) -> PatchSelection:
    """The environment for these images.

    Args:
      params: of `PatchSelectionParams`, beside the data.
      options: the other attributes of `PatchSelection`.
    Raises:
      UserError: patches that do not tile the image, numbers of patches that there are not, too few images.
    """
    network = model.make(vit, images.images.shape[1], classes)
    patches = network.grid**2
    for name, count in (
        [("n_patch_desired", n_patch_desired)] + [("phases", n) for n in phases] + [("drawn", n) for n in drawn]
    ):
        if not 1 <= count <= patches:
            raise UserError(f"{name}: {count} patches of {patches}: expected 1 to {patches}")
    batch = options.get("batch", PatchSelection.batch)
    if len(images.labels) < batch:
        raise UserError(f"batch_size: {batch} is more than the {len(images.labels)} training images")
    if options.get("sees", PatchSelection.sees) not in selection.VIEWS:
        raise UserError(f"sees: '{options['sees']}' is not one of {', '.join(selection.VIEWS)}")
    wanted = _steps(patches) if rule == "mean" else drawn or phases or (n_patch_desired,)
    everything = (patches,) if rule == "mean" or full_every else ()
    return PatchSelection(
        PatchSelectionParams(jnp.asarray(images.images), jnp.asarray(images.labels), **(params or {})),
        network,
        rule=rule,
        n_patch_desired=n_patch_desired,
        phases=phases,
        drawn=drawn,
        full_every=full_every,
        sizes=tuple(sorted({*wanted, *everything})),
        **options,
    )


def _steps(patches: int) -> tuple[int, ...]:
    """Static sizes under the rule "mean": eighths of all patches, from a quarter on."""
    return tuple(sorted({-(-patches * i // 8) for i in range(2, 9)}))
