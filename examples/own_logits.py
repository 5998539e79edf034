"""Your own early-exit network: write its logits, then let EdgeRL learn when to stop.

    python examples/own_logits.py my_logits.npz
    edgerl logits import my_logits.npz --out my_table.npz
    edgerl train early-exit --set table=my_table.npz --out runs/mine

The loop is what one writes in PyTorch; comments say where a tensor would be. The network here is a toy in NumPy, so
that the script runs as it is: replace `Network` and `batches` with your model and your data loader. Use images that the
network was not trained on: on its own training images nothing is difficult.
"""

import sys
from collections.abc import Iterator

import numpy as np

CLASSES = 10
WIDTHS = (8, 16, 32)  # inputs that each exit of the toy looks at
POLICY, TEST = 1, 2  # splits: images to learn the policy on, and to judge it on


class Network:
    """K = 3 exits, each of which sees more of the input than the one before."""

    # Multiply-accumulates until each exit, its head included: count yours with fvcore, ptflops or by hand.
    macs = tuple(float(width * CLASSES * 100_000) for width in np.cumsum(WIDTHS))

    def __init__(self, prototypes: np.ndarray) -> None:
        self.prototypes = prototypes

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Logits [B, C] of each exit."""
        return [images[:, :width] @ self.prototypes[:, :width].T / np.sqrt(width) for width in WIDTHS]


def batches(prototypes: np.ndarray, count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (images, labels), as a DataLoader yields them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        labels = rng.integers(0, CLASSES, 250)
        noise = rng.normal(size=(250, prototypes.shape[1])) * rng.uniform(0.3, 3.0, (250, 1))
        yield prototypes[labels] + noise, labels


def main(path: str) -> None:
    """Writes `logits` [N, K, C], `labels` [N], `split` [N] and `macs` [K]."""
    prototypes = np.random.default_rng(0).normal(size=(CLASSES, WIDTHS[-1]))
    model = Network(prototypes)
    logits, labels, splits = [], [], []
    for split, seed in ((POLICY, 1), (TEST, 2)):
        for images, targets in batches(prototypes, 20, seed):
            outputs = model(images)  # PyTorch: with torch.inference_mode(): outputs = model(images.to(device))
            logits.append(np.stack(outputs, 1))  # torch.stack(outputs, 1).float().cpu().numpy()
            labels.append(targets)  # targets.numpy()
            splits.append(np.full(len(targets), split))
    np.savez(
        path,
        logits=np.concatenate(logits).astype(np.float32),
        labels=np.concatenate(labels),
        split=np.concatenate(splits),
        macs=np.array(model.macs),
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: own_logits.py FILE.npz")
    main(sys.argv[1])
