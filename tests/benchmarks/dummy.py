"""A contestant that does what its settings say, to test the referee with."""

import os
import sys

from worker import Numbers, Prepared, serve


def prepare(settings: Numbers) -> Prepared:
    print("chatter that is not an answer")
    if settings.get("refuse"):
        raise ValueError("cannot do that\nsecond line")
    runs = 0

    def run(**arguments: object) -> Numbers:
        nonlocal runs
        runs += 1
        if settings.get("diary"):
            with open(settings["diary"], "a") as diary:
                diary.write(settings["who"])
        if settings.get("dies_in_run") == runs:
            print("these are my last words", file=sys.stderr)
            os._exit(3)
        if settings.get("hangs"):
            sys.stdin.read()
        return {"steps": 1000 * settings.get("num_envs", 1), "episodes": 40, **arguments}

    def check() -> Numbers:
        return {"checked": runs, **({"return": settings["return"]} if "return" in settings else {})}

    return Prepared(run, 0.5, check, info={"library": "1.0"})


if __name__ == "__main__":
    serve(prepare)
