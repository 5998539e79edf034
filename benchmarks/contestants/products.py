"""The contestant in `large` that computes the matrix products of PPO's updates and nothing else, by NumPy's library."""

import numpy as np
from worker import Numbers, Prepared, compiled, serve

PIECE = 1024  # samples at once, which stay in the cache
FEATURES, ACTIONS, EPOCHS = 4, 2, 4


def prepare(settings: Numbers) -> Prepared:
    """Settings: `num_envs`, `num_steps`, `hidden_sizes` (two equal ones), `updates` of a repeat."""
    width, samples = settings["hidden_sizes"][0], settings["num_envs"] * settings["num_steps"]
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    first, second, last = drawn(width, FEATURES), drawn(width, width), drawn(ACTIONS, width)
    second_turned, last_turned = (np.ascontiguousarray(kernel.T) for kernel in (second, last))
    piece = min(PIECE, settings["num_envs"])
    x, error = drawn(FEATURES, piece), drawn(ACTIONS, piece)
    a, b, down, outputs = (drawn(n, piece) for n in (width, width, width, ACTIONS))
    gradients = [np.empty_like(kernel) for kernel in (first, second, last)]

    def forwards() -> None:
        np.matmul(first, x, out=a)
        np.matmul(second, a, out=b)
        np.matmul(last, b, out=outputs)

    def backwards() -> None:
        np.matmul(error, b.T, out=gradients[2])
        np.matmul(last_turned, error, out=down)
        np.matmul(down, a.T, out=gradients[1])
        np.matmul(second_turned, down, out=b)
        np.matmul(b, x.T, out=gradients[0])

    def run(seed: int = 0) -> Numbers:
        for _ in range(settings["updates"] * 3 * samples // piece):  # actions, and the values before and after a step
            forwards()
        for _ in range(settings["updates"] * 2 * EPOCHS * samples // piece):  # both networks
            forwards()
            backwards()
        return {"steps": settings["updates"] * samples}

    return compiled(run, numpy=np.__version__)


if __name__ == "__main__":
    serve(prepare)
