"""From raw logits to the decision on the device: `exits.h` and `exits.c`, C99 in fixed point."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_text, names
from edgerl.tasks.early_exit.env import EXIT, EXTRAS, EarlyExit
from edgerl.tasks.early_exit.evaluation.evaluate import everywhere
from edgerl.tasks.early_exit.export import promise_c
from edgerl.tasks.early_exit.export.integer_answers import (
    LIMIT,
    LOGS,
    PLAIN_GAIN,
    POWERS,
    answers,
    gain_of,
    per_log_classes,
)
from edgerl.tasks.early_exit.promise.certificate import Certificate
from edgerl.util.errors import UserError

MAX_CLASSES = 2**16
TESTS = 16  # made-up logits in the self-test, at least; a multiple of the exits

Decide = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Exits:
    """The exits as the device sees them, in plain numbers: all that `exits.h` and `exits.c` follow from.

    Attributes:
      names: what each number of an observation is.
      known: float32 [K, F], the environment's observation, of which only what no image changes is meant.
      temperatures: float32 [K].
      preference: what a policy that takes one is told.
      certificate: of the rule that decides in the policy's place, if there is one.
    """

    names: tuple[str, ...]
    known: np.ndarray
    temperatures: np.ndarray
    classes: int
    preference: float
    certificate: Certificate | None = None

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

    def stops(self, decide: Decide, logits: np.ndarray) -> np.ndarray:
        """bool [n, K]: whether the device stops at each exit, of raw logits float32 [n, K, C], bit for bit.

        Args:
          decide: the deployed policy, int actions [m] of observations float32 [m, F].
        """
        if self.certificate is not None:
            found = answers(logits, np.full(logits.shape[:2], PLAIN_GAIN)).probability >= self.certificate.threshold
        else:
            found = decide(self.observe(logits).reshape(-1, len(self.names))).reshape(logits.shape[:2]) == EXIT
        found[:, -1] = True
        return found


@dataclasses.dataclass(frozen=True)
class Device:
    """The exits of one environment as the device sees them."""

    env: EarlyExit
    temperatures: np.ndarray  # float32 [K]
    classes: int
    preference: float = 0.5  # what a policy that takes one is told
    certificate: Certificate | None = None  # of the rule that decides in the policy's place

    @property
    def exits(self) -> Exits:
        """The same in plain numbers."""
        preference = self.preference if self.env.draw_preference else None
        known = everywhere(self.env, self.env.default_params, preference)[0][0]
        return Exits(self.env.names, known, self.temperatures, self.classes, self.preference, self.certificate)

    @property
    def gain(self) -> np.ndarray:
        """float32 [K]: units of a scaled logit for one of the exit's logits."""
        return gain_of(self.temperatures)

    def observe(self, logits: np.ndarray) -> np.ndarray:
        """float32 [n, K, F] of raw logits float32 [n, K, C], bit for bit as the device."""
        return self.exits.observe(logits)


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
    source = c_text.template("exits.c.in", common | _source(exits, decide, words["p"]), PACKAGE)
    stamp = names.words(words["p"], names.stamp_of(source, words["model"]))["stamp"]
    header = c_text.template("exits.h.in", common | _header(exits, words["p"]) | {"stamp": stamp}, PACKAGE)
    return {f"{words['p']}_exits.h": header, f"{words['p']}_exits.c": source}


def _header(exits: Exits, p: str) -> dict[str, Any]:
    promised = exits.certificate
    field = "    float preference;            /* what to spare, from 0 (nothing) to 1 (most) */\n"
    goal = (
        " * What the policy spares is yours to say: exits.preference, from 0 (nothing) to 1 (most), "
        f"{_float(exits.preference)} at the start.\n * The budgets it was trained for are in report.json."
        if exits.takes_preference
        else " * The budgets of latency, compute and energy that it was trained for are in report.json. What is\n"
        " * left of them is in its observation."
    )
    return {
        "goal": goal if promised is None else promise_c.comment(promised, p),
        "promise_macros": "" if promised is None else promise_c.macros(promised, p),
        "largest_logit": f"{LIMIT / exits.gain.max():.0f}",
        "temperatures": ", ".join(_float(t) for t in exits.temperatures),
        "observation_rows": "\n".join(f" *   [{i}] {name}" for i, name in enumerate(exits.names)),
        "preference_field": field if exits.takes_preference else "",
    }


def _source(exits: Exits, decide: Decide, p: str) -> dict[str, Any]:
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
    decisions = exits.stops(decide, logits)
    size = decisions.size
    constants = [
        _array(f"float gain[{exits.count}]", [_float(g) for g in exits.gain]),
        _array(f"float known[{exits.count}][3]", ["{" + ", ".join(map(_float, row)) + "}" for row in known[:, 1:4]]),
        _array("uint32_t powers[65]", [f"{x}u" for x in POWERS]),
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
        **promise_c.decision(exits.certificate, p),
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
