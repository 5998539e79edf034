"""ExitStream-v0 once more in plain Python: lists and if, no JAX. What the tests compare the environment with."""

import math


def step(p, s, action, u, image):
    """One decision.

    Args:
      p: parameters by name, plain numbers and lists; `source` and `supply` likewise.
      s: state: position, age, queue (ages, oldest first), busy, battery, clock, sky, recent, gap and mark of a trace.
      u: uniform numbers: `gaps` [places + 1], `change`, `left`, `sky`.
    Returns:
      The state afterwards, the reward, and what happened.
    """
    s = {**s, "queue": list(s["queue"])}
    exits, source, supply = len(p["stage_s"]), p["source"], p["supply"]
    under_way = s["position"] >= 0
    happened = {"seconds": 0.0, "answered": False, "right": 0.0, "lost": 0, "exit": -1, "spent_j": 0.0}
    exit = s["position"] % exits if under_way else None
    go = action == 0 and under_way and exit < exits - 1
    if go:
        late = s["age"] + p["stage_s"][exit + 1] > p["deadline_s"]
        go = not late and s["battery"] >= p["stage_j"][exit + 1]
    if under_way and not go:
        happened["answered"], happened["exit"] = True, exit
        happened["right"] = float(p["correct"][s["position"]] and s["age"] <= p["deadline_s"])

    woken = s["position"] == -2
    wake_s, wake_j = (p["wake_s"], p["wake_j"]) if woken else (0.0, 0.0)
    sleeps = not go and (action == 3 or s["battery"] < p["stage_j"][0] + wake_j)
    times, gaps = _times(source, s, u)
    work, pause, taken = 0.0, 0.0, 0
    if go:
        work, happened["spent_j"] = p["stage_s"][exit + 1], p["stage_j"][exit + 1]
        s["position"], s["age"] = s["position"] + 1, s["age"] + work
    elif not sleeps and s["queue"]:
        age = s["queue"].pop(-1 if action == 2 else 0)
        work, happened["spent_j"] = wake_s + p["stage_s"][0], wake_j + p["stage_j"][0]
        s["position"], s["age"] = image * exits, age + work
    else:
        change = math.inf if source["gaps_s"] else -math.log(1 - u["change"]) / _of_state(source, "leave", s["busy"])
        pause = min(times[0], change, p["pause_s"])
        arrived = times[0] <= min(change, p["pause_s"])
        if change < times[0] and change <= p["pause_s"]:
            s["busy"] = not s["busy"]
        happened["spent_j"] = pause * supply["sleep_w" if sleeps else "idle_w"]
        s["position"], s["age"] = -2 if sleeps else -1, 0.0
        if arrived and not sleeps:
            taken, work = 1, wake_s + p["stage_s"][0]
            happened["spent_j"] += wake_j + p["stage_j"][0]
            s["position"], s["age"] = image * exits, work

    seconds = happened["seconds"] = pause + work
    came = [t for t in times if t <= seconds]
    happened["arrived"] = len(came)
    s["queue"] = [age + seconds for age in s["queue"]] + [seconds - t for t in came[taken:]]
    too_many = max(0, len(s["queue"]) - p["places"])
    kept = [age for age in s["queue"][too_many:] if age <= p["deadline_s"] - p["stage_s"][0]]
    happened["lost"] = len(s["queue"]) - len(kept)
    s["queue"] = kept
    _source_later(source, s, gaps, times, len(came), seconds, work, u["left"])

    middle = (s["clock"] + seconds / 2) % supply["day_s"]
    slot = int(middle / supply["day_s"] * len(supply["harvest"]))
    happened["harvested_j"] = supply["panel_w"] * supply["harvest"][slot] * s["sky"] * seconds
    charged = s["battery"] + happened["harvested_j"] - happened["spent_j"]
    s["battery"] = min(max(charged, 0.0), supply["capacity_j"])
    s["clock"] += seconds
    if s["clock"] >= supply["day_s"]:
        s["clock"] -= supply["day_s"]
        s["sky"] = supply["sky_low"] + (1 - supply["sky_low"]) * u["sky"]
    s["recent"] = s["recent"] * math.exp(-seconds / source["memory_s"]) + len(came) / source["memory_s"]
    return s, happened["right"], happened


def _of_state(source, what, busy):
    return source[f"{what}_busy" if busy else f"{what}_calm"]


def _times(source, s, u):
    """When the next frames come, seconds from now; and of a trace the gaps between them."""
    if source["gaps_s"]:
        trace = source["gaps_s"]
        gaps = [s["gap"]] + [trace[(s["mark"] + i) % len(trace)] for i in range(len(u["gaps"]))]
    else:
        gaps = [-math.log(1 - x) / _of_state(source, "rate", s["busy"]) for x in u["gaps"]]
    times, total = [], 0.0
    for gap in gaps[: len(u["gaps"])]:
        total += gap
        times.append(total)
    return times, gaps


def _source_later(source, s, gaps, times, came, seconds, work, left):
    if source["gaps_s"]:
        s["mark"] = (s["mark"] + came) % len(source["gaps_s"])
        s["gap"] = gaps[came] if came == len(times) else times[came] - seconds
    elif work > 0:
        both = source["leave_calm"] + source["leave_busy"]
        share = source["leave_calm"] / both
        s["busy"] = left < share + (s["busy"] - share) * math.exp(-both * work)
