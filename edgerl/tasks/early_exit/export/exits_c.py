"""From raw logits to the policy's observation on the device: C99 in fixed point, and the same arithmetic in NumPy.

Probabilities are powers of two of whole 4096ths, looked up and interpolated; entropy comes from their sum and their
weighted distance from the largest, H = log2(sum) + mean distance, so that there is one logarithm and no exponential
function. Both sides are integers after one float product, so they are equal bit for bit.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_text, names
from edgerl.tasks.early_exit.env import EXIT, EXTRAS, EarlyExit
from edgerl.tasks.early_exit.evaluation.evaluate import everywhere
from edgerl.util.errors import UserError

STEPS = 4096
LIMIT = 2**30
ONE = 2**30
POWERS = np.rint(ONE * 2.0 ** (-np.arange(65) / 64)).astype(np.uint64)
LOGS = np.rint(65536 * np.log2(1 + np.arange(65) / 64)).astype(np.uint64)
MAX_CLASSES = 2**16
TESTS = 16  # made-up logits in the self-test, at least; a multiple of the exits

Decide = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the device knows of exits' logits; shares are whole 65536ths, int64 [...]."""

    confidence: np.ndarray
    margin: np.ndarray
    probability: np.ndarray
    prediction: np.ndarray  # int64 [...]


def answers(logits: np.ndarray, gain: np.ndarray) -> Answers:
    """Of float32 logits [..., C] with the gain float32 [...] of their exit: what `answer_of` in exits.c computes."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.asarray(logits, np.float32) * np.asarray(gain, np.float32)[..., None]
    low, high = ~(x > -LIMIT), ~(x < LIMIT)
    units = np.where(low, -LIMIT, np.where(high, LIMIT, np.where(low | high, 0, x).astype(np.int64)))
    prediction = np.where(np.isnan(logits), -np.inf, logits).argmax(-1)
    # Among NaN and minus infinity, the first that is a number, as a comparison in C finds it.
    least = np.isnan(logits) | (logits == -np.inf)
    prediction = np.where(least.all(-1), (~np.isnan(logits)).argmax(-1), prediction)
    distance = (np.take_along_axis(units, prediction[..., None], -1) - units).astype(np.uint64)
    e = _power(distance)
    total = e.sum(-1)
    others = np.where(np.arange(logits.shape[-1]) == prediction[..., None], np.uint64(0), e)
    weighted = (e * np.minimum(distance, np.uint64(2**17))).sum(-1)
    sixteen = np.uint64(16)
    bits = _logarithm(total) + weighted // total * sixteen + weighted % total * sixteen // total
    entropy = bits * np.uint64(per_log_classes(logits.shape[-1])) >> np.uint64(31)
    scale = np.uint64(16)
    return Answers(
        np.maximum(65536 - entropy.astype(np.int64), 0),
        (((np.uint64(ONE) - others.max(-1)) << scale) // total).astype(np.int64),
        ((np.uint64(ONE) << scale) // total).astype(np.int64),
        prediction,
    )


def per_log_classes(classes: int) -> int:
    """2^31 / log2(classes), whole."""
    return round(2**31 / np.log2(classes))


def _power(distance: np.ndarray) -> np.ndarray:
    i = (distance % np.uint64(STEPS)) >> np.uint64(6)
    between = ((POWERS[i] - POWERS[i + np.uint64(1)]) * (distance & np.uint64(63))) >> np.uint64(6)
    shift = distance >> np.uint64(12)
    return np.where(shift > 31, np.uint64(0), (POWERS[i] - between) >> np.minimum(shift, np.uint64(31)))


def _logarithm(x: np.ndarray) -> np.ndarray:
    whole = np.zeros_like(x)
    for bit in range(31, 31 + 17):
        whole += (x >> np.uint64(bit)) != 0
    mantissa = (x >> whole) - np.uint64(ONE)
    i, rest = mantissa >> np.uint64(24), (mantissa >> np.uint64(8)) & np.uint64(0xFFFF)
    step = LOGS[i + np.uint64(1)] - LOGS[i]
    return (whole << np.uint64(16)) + LOGS[i] + (step * rest >> np.uint64(16))


@dataclasses.dataclass(frozen=True)
class Exits:
    """The exits as the device sees them, in plain numbers: all that `exits.h` and `exits.c` follow from.

    Attributes:
      names: what each number of an observation is.
      known: float32 [K, F], the environment's observation, of which only what no image changes is meant.
      temperatures: float32 [K].
      preference: what a policy that takes one is told.
    """

    names: tuple[str, ...]
    known: np.ndarray
    temperatures: np.ndarray
    classes: int
    preference: float

    @property
    def count(self) -> int:
        """K."""
        return len(self.temperatures)

    @property
    def takes_preference(self) -> bool:
        return "preference" in self.names

    @property
    def gain(self) -> np.ndarray:
        """float32 [K]: units of a scaled logit for one of the exit's logits."""
        return gain_of(self.temperatures)

    def observe(self, logits: np.ndarray) -> np.ndarray:
        """float32 [n, K, F] of raw logits float32 [n, K, C], bit for bit as the device."""
        seen = answers(logits, np.broadcast_to(self.gain, logits.shape[:2]))
        agreement = np.zeros(seen.prediction.shape, np.int64)
        agreement[:, 1:] = 65536 * (seen.prediction[:, 1:] == seen.prediction[:, :-1])
        of_image = {**dataclasses.asdict(seen), "agreement": agreement}
        columns = [
            (of_image[name] / 65536).astype(np.float32)
            if name in of_image
            else np.broadcast_to(self.known[:, i], logits.shape[:2])
            for i, name in enumerate(self.names)
        ]
        return np.stack(columns, -1)


@dataclasses.dataclass(frozen=True)
class Device:
    """The exits of one environment as the device sees them."""

    env: EarlyExit
    temperatures: np.ndarray  # float32 [K]
    classes: int
    preference: float = 0.5  # what a policy that takes one is told

    @property
    def exits(self) -> Exits:
        """The same in plain numbers."""
        preference = self.preference if self.env.draw_preference else None
        known = everywhere(self.env, self.env.default_params, preference)[0][0]
        return Exits(self.env.names, known, self.temperatures, self.classes, self.preference)

    @property
    def gain(self) -> np.ndarray:
        """float32 [K]: units of a scaled logit for one of the exit's logits."""
        return gain_of(self.temperatures)

    def observe(self, logits: np.ndarray) -> np.ndarray:
        """float32 [n, K, F] of raw logits float32 [n, K, C], bit for bit as the device."""
        return self.exits.observe(logits)


def gain_of(temperatures: np.ndarray) -> np.ndarray:
    """float32 [K]: units of a scaled logit for one of the logits of an exit with this temperature."""
    return (STEPS * np.log2(np.e) / temperatures.astype(np.float64)).astype(np.float32)


def generate(device: Device | Exits, decide: Decide, words: Mapping[str, str]) -> dict[str, str]:
    """File name → text of `NAME_exits.h` and `NAME_exits.c`, to be compiled with the policy's `NAME.c`.

    Args:
      words: of `edgerl.deploy.names`.
      decide: the deployed policy, int actions [n] of observations float32 [n, F]; the self-test expects its decisions.
    Raises:
      UserError: more classes than the device's arithmetic holds.
    """
    exits = device.exits if isinstance(device, Device) else device
    if exits.classes > MAX_CLASSES:
        raise UserError(f"the C code holds at most {MAX_CLASSES} classes; the network has {exits.classes}")
    common = {**words, "version": __version__, "exits": exits.count, "classes": exits.classes}
    source = c_text.template("exits.c.in", common | _source(exits, decide), PACKAGE)
    stamp = names.words(words["p"], names.stamp_of(source, words["model"]))["stamp"]
    header = c_text.template("exits.h.in", common | _header(exits) | {"stamp": stamp}, PACKAGE)
    return {f"{words['p']}_exits.h": header, f"{words['p']}_exits.c": source}


def _header(exits: Exits) -> dict[str, Any]:
    field = "    float preference;            /* what to spare, from 0 (nothing) to 1 (most) */\n"
    goal = (
        " * What the policy spares is yours to say: exits.preference, from 0 (nothing) to 1 (most), "
        f"{_float(exits.preference)} at the start.\n * The budgets it was trained for are in report.json."
        if exits.takes_preference
        else " * The budgets of latency, compute and energy that it was trained for are in report.json. What is\n"
        " * left of them is in its observation."
    )
    return {
        "goal": goal,
        "largest_logit": f"{LIMIT / exits.gain.max():.0f}",
        "temperatures": ", ".join(_float(t) for t in exits.temperatures),
        "observation_rows": "\n".join(f" *   [{i}] {name}" for i, name in enumerate(exits.names)),
        "preference_field": field if exits.takes_preference else "",
    }


def _source(exits: Exits, decide: Decide) -> dict[str, Any]:
    names, known, lines = exits.names, exits.known, []
    for i, name in enumerate(names):
        if name == "agreement":
            value = "exit > 0 && answer->prediction == exits->predictions[exit - 1] ? 1.0f : 0.0f"
        elif name == "confidence" or name in EXTRAS:
            value = f"(float)answer->{name} * unit"
        else:
            value = "exits->preference" if name == "preference" else f"known[exit][{i - 1}]"
        lines.append(f"    obs[{i}] = {value};")
    logits = made_up_logits(exits)
    seen = answers(logits, np.broadcast_to(exits.gain, logits.shape[:2]))
    decisions = (decide(exits.observe(logits).reshape(-1, len(names))) == EXIT).reshape(logits.shape[:2])
    decisions[:, -1] = True
    size = decisions.size
    constants = [
        _array(f"float gain[{exits.count}]", [_float(g) for g in exits.gain]),
        _array(f"float known[{exits.count}][3]", ["{" + ", ".join(map(_float, row)) + "}" for row in known[:, 1:4]]),
        _array("uint32_t powers[65]", [f"{p}u" for p in POWERS]),
        _array("uint32_t logs[65]", [f"{x}u" for x in LOGS]),
        f"static const uint64_t per_log_classes = {per_log_classes(exits.classes)}u;",
        *(_array(f"uint32_t test_{n}[{size}]", [f"{x}u" for x in getattr(seen, n).reshape(-1)]) for n in _TESTED),
        _array(f"int test_prediction[{size}]", seen.prediction.reshape(-1)),
        _array(f"int test_decision[{size}]", decisions.reshape(-1).astype(int)),
    ]
    start = f"    exits->preference = {_float(exits.preference)};\n" if exits.takes_preference else ""
    return {
        "features": len(names),
        "constants": "\n\n".join(constants),
        "observation": "\n".join(lines),
        "tests": size,
        "preference_start": start,
        "unused": "    (void)exits;" if not any("exits->" in line for line in lines) else "",
    }


_TESTED = ("confidence", "margin", "probability")
PACKAGE = "edgerl.tasks.early_exit.export"


def made_up_logits(exits: Exits) -> np.ndarray:
    """float32 [m, K, C]: the self-test's logits, from the generator in exits.c (Numerical Recipes' constants)."""
    count = exits.count
    logits = np.empty((-(-TESTS // count) * count, exits.classes), np.float32)
    state = 1
    for test, row in enumerate(logits):
        for i in range(exits.classes):
            state = (state * 1664525 + 1013904223) % 2**32
            row[i] = (state >> 20) / 512
        row[(state >> 8) & 1] += test
    return logits.reshape(-1, count, exits.classes)


def _float(value: Any) -> str:
    """A C literal that reads back as the same float32."""
    return np.format_float_scientific(np.float32(value), trim="0") + "f"


def _array(declaration: str, values: Any, row: int = 8) -> str:
    texts = [str(value) for value in values]
    lines = [f"    {', '.join(texts[i : i + row])}," for i in range(0, len(texts), row)]
    return f"static const {declaration} = {{\n" + "\n".join(lines) + "\n};"
