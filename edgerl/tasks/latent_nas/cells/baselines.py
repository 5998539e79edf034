"""Searches that the agent is compared with. Each uses up the looks of one search, its settings the best of those tried
on other seeds (docs/latent_nas/nasbench201.md). None looks at a cell twice.
"""

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells.looks import Looks
from edgerl.tasks.latent_nas.evaluation import bayesian

Search = Callable[[Looks, np.random.Generator], None]

POPULATION, TOURNAMENT = 30, 10
STARTUP = 10  # random cells before a model says something
_BASE = len(space.OPERATIONS)
_POWERS = _BASE ** np.arange(len(space.EDGES))[::-1]


def random_search(looks: Looks, rng: np.random.Generator) -> None:
    """Cells at random."""
    looks.measure(rng.choice(np.flatnonzero(looks.allowed), looks.budget, replace=False))


def evolution(looks: Looks, rng: np.random.Generator) -> None:
    """Regularised evolution: a parent wins a tournament, an edge of it changes, the oldest of the population dies.

    A child that was looked at already is drawn anew, after 20 tries at random. Real et al., "Regularized Evolution for
    Image Classifier Architecture Search", 2019.
    """
    free = looks.allowed.copy()
    population = list(rng.choice(np.flatnonzero(free), min(POPULATION, looks.budget), replace=False))
    worth = list(looks.measure(population)[0])
    free[population] = False
    while looks.count < looks.budget:
        drawn = rng.choice(len(population), min(TOURNAMENT, len(population)), replace=False)
        parent = population[max(drawn, key=lambda i: worth[i])]
        child = next((c for c in (_mutated(parent, rng) for _ in range(20)) if free[c]), None)
        child = _any(free, rng) if child is None else child
        free[child] = False
        population, worth = population[1:] + [child], worth[1:] + [looks.measure([child])[0, 0]]


def local_search(looks: Looks, rng: np.random.Generator) -> None:
    """From a random cell to the first neighbour, one edge changed, that is better; where none is, from another cell.

    White, Nolen & Savani, "Exploring the Loss Landscape in Neural Architecture Search", 2021.
    """
    known: dict[int, float] = {}
    free = looks.allowed.copy()

    def value(cell: int) -> float:
        if cell not in known:
            known[cell] = float(looks.measure([cell])[0, 0])
            free[cell] = False
        return known[cell]

    while looks.count < looks.budget:
        here, better = _any(free, rng), True
        value(here)
        while better and looks.count < looks.budget:
            better = False
            for other in _neighbours(here, rng):
                if looks.count < looks.budget and looks.allowed[other] and value(other) > known[here]:
                    here, better = other, True
                    break


def parzen(looks: Looks, rng: np.random.Generator) -> None:
    """The tree-structured Parzen estimator of Optuna, an edge a category. A cell asked for again costs no look.

    Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011.
    """
    optuna = bayesian.imported()
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), n_startup_trials=STARTUP)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    known: dict[int, float] = {}
    repeated = 0
    while looks.count < looks.budget:
        trial = study.ask()
        edges = [trial.suggest_categorical(name, range(_BASE)) for name in space.GENES]
        cell = int(np.dot(edges, _POWERS))
        if repeated >= 20 or not looks.allowed[cell]:  # it circles: a random cell, told as a trial of its own
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            free = looks.allowed.copy()
            free[list(known)] = False
            cell, repeated = _any(free, rng), 0
            known[cell] = float(looks.measure([cell])[0, 0])
            study.add_trial(_trial(optuna, cell, known[cell]))
            continue
        repeated = repeated + 1 if cell in known else 0
        if cell not in known:
            known[cell] = float(looks.measure([cell])[0, 0])
        study.tell(trial, known[cell])


def forest(looks: Looks, rng: np.random.Generator, inputs: np.ndarray | None = None) -> None:
    """Random forests of scikit-learn: the cells that the mean of the trees says are best, in rounds of a sixth.

    As SMAC (Hutter et al., "Sequential Model-Based Optimization for General Algorithm Configuration", 2011), without
    its intensification: every cell is measured once. `inputs`: float [15,625, F]; by default edges as categories.
    """
    from sklearn.ensemble import RandomForestRegressor

    inputs = edge_categories() if inputs is None else inputs
    free = looks.allowed.copy()
    first = rng.choice(np.flatnonzero(free), min(STARTUP, looks.budget), replace=False)
    looks.measure(first)
    free[first] = False
    while looks.count < looks.budget:
        trees = RandomForestRegressor(30, max_features=0.5, random_state=int(rng.integers(2**31)))
        trees.fit(inputs[looks.cells[0]], np.maximum(looks.seen[0], np.quantile(looks.seen[0], 0.3)))
        left = np.flatnonzero(free)
        said = trees.predict(inputs[left])
        size = min(max(looks.count // 6, 1), looks.budget - looks.count)
        chosen = left[np.lexsort((rng.random(len(left)), -said))[:size]]
        looks.measure(chosen)
        free[chosen] = False


def forest_on_features(looks: Looks, rng: np.random.Generator) -> None:
    """As `forest`, on what the agent's surrogate sees: features of the class."""
    of_cell, representatives = space.classes()
    forest(looks, rng, space.features(space.all_cells()[representatives])[of_cell])


def edge_categories() -> np.ndarray:
    """float32 [15,625, 30]: which operation each edge has."""
    return np.eye(_BASE, dtype=np.float32)[space.all_cells()].reshape(_BASE**6, -1)


SEARCHES: dict[str, Search] = {
    "random": random_search,
    "regularised evolution": evolution,
    "local search": local_search,
    "TPE (Optuna)": parzen,
    "random forest (scikit-learn)": forest,
    "random forest on the agent's features (scikit-learn)": forest_on_features,
}


def available(name: str) -> bool:
    """Whether the library that a search of `SEARCHES` needs is installed."""
    needed = {"Optuna": "optuna", "scikit-learn": "sklearn"}
    return all(importlib.util.find_spec(module) for library, module in needed.items() if library in name)


def side_by_side(search: Search, values: np.ndarray, runs: int, budget: int, seed: int) -> Looks:
    """R searches, each with looks of its own, as one `Looks`."""
    each = [Looks(values, 1, budget) for _ in range(runs)]
    for number, looks in enumerate(each):
        search(looks, np.random.default_rng((seed, number)))
    return Looks.joined(each)


def _mutated(cell: int, rng: np.random.Generator) -> int:
    """A cell with another operation on one edge."""
    power = int(_POWERS[rng.integers(len(_POWERS))])
    digit = cell // power % _BASE
    return int(cell) + ((digit + int(rng.integers(1, _BASE))) % _BASE - digit) * power


def _neighbours(cell: int, rng: np.random.Generator) -> Iterator[int]:
    """All cells with another operation on one edge, in random order."""
    changes = [(power, step) for power in _POWERS for step in range(1, _BASE)]
    for i in rng.permutation(len(changes)):
        power, step = changes[i]
        digit = cell // power % _BASE
        yield int(cell + ((digit + step) % _BASE - digit) * power)


def _any(free: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(free)))


def _trial(optuna: Any, cell: int, value: float) -> Any:
    """A finished trial of a cell that Optuna did not ask for."""
    choices = {name: optuna.distributions.CategoricalDistribution(range(_BASE)) for name in space.GENES}
    edges = {name: int(cell // power % _BASE) for name, power in zip(space.GENES, _POWERS, strict=True)}
    return optuna.trial.create_trial(params=edges, distributions=choices, value=value)
