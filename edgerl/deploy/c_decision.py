"""The last step of a policy in the generated C: scores to an action, of either kind."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgerl.deploy import box_actions, c_text
from edgerl.deploy.int8_policy import Deployed


def header(policy: Deployed, told: Sequence[str], words: Mapping[str, str]) -> dict[str, str]:
    """What the header's template says of actions: how `act` is called, what they mean, the declarations.

    Args:
      told: what each action, or each number of it, is; empty if not known.
      words: the export's names.
    """
    p, upper = words["p"], words["P"]
    if policy.space is None:
        usage = [f"int action = {p}_{words['act']}({words['pass_own']}obs);"]
        rows = [f"Actions: 0 to {policy.sizes[-1] - 1}.", *(f"  {i}: {text}" for i, text in enumerate(told))]
    else:
        usage = [f"float action[{upper}_ACTIONS];", f"{p}_{words['act']}({words['pass_own']}obs, action);"]
        rows = ["Action, each number with its range and what one int8 step is; there is no NaN among them:"]
        rows += _ranges(policy, told)
    if policy.units:
        usage = [f"{p}_state state;", f"{p}_reset(&state); ... before each episode ...", *usage]
    return {
        "usage": "\n".join(f" *     {line}" for line in usage),
        "action_rows": "\n".join(f" * {line}" for line in rows),
        "decision": _part(policy, "h", words),
    }


def source(policy: Deployed, words: Mapping[str, str]) -> str:
    """The functions from scores to an action."""
    return _part(policy, "c", words)


def constants(policy: Deployed, actions: np.ndarray, words: Mapping[str, str]) -> Iterator[str]:
    """The `static const` definitions that they need, with the test vectors' actions."""
    count, upper = f"{words['P']}_TEST_VECTORS", words["P"]
    if policy.space is None:
        kind = "uint8_t" if policy.sizes[-1] <= 256 else "uint16_t"  # c_source.MAX_WIDTH is below 2^16
        yield c_text.array(f"ROM {kind} test_actions[{count}]", actions)
        return
    units = box_actions.units(policy.space)
    yield c_text.array(f"ROM int32_t action_first[{upper}_ACTIONS]", units.first)
    yield c_text.array(f"ROM int32_t action_step[{upper}_ACTIONS]", units.step)
    yield c_text.array(f"ROM float action_unit[{upper}_ACTIONS]", c_text.floats(units.unit))
    rows = c_text.floats(actions.reshape(len(actions), -1))
    yield c_text.array(f"ROM float test_actions[{count}][{upper}_ACTIONS]", rows)


def _part(policy: Deployed, ending: str, words: Mapping[str, str]) -> str:
    kind = "discrete" if policy.space is None else "box"
    return c_text.template(f"{kind}.{ending}.in", words).rstrip("\n")


def _ranges(policy: Deployed, told: Sequence[str]) -> Iterator[str]:
    """A line for each number of a box's action."""
    assert policy.space is not None  # the caller's
    units = box_actions.units(policy.space)
    low, high, step = units.first * units.unit, (units.first + 255 * units.step) * units.unit, units.step * units.unit
    for i in range(len(step)):
        name = f"{told[i]}: " if i < len(told) else ""
        yield f"  [{i}] {name}{low[i]:.4g} to {high[i]:.4g}, step {step[i]:.9g}"
