"""The contestant's side of a benchmark: a process that does what it is told over a pipe, one JSON object a line.

It needs the standard library only, since it also runs in the peers' own environments.

    {"do": "prepare", "settings": {…}}   ->  {"compile_s": …, "info": {…}}
    {"do": "run", "arguments": {…}}      ->  {"seconds": …, "cpu_seconds": …, what `run` and `check` return}
    what it runs is not installed        ->  {"absent": "one line"}
    anything that fails                  ->  {"error": "one line"}; the process lives on

`cpu_seconds` is the processor time of all the process's threads: on a busy machine it says more than the clock does.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Numbers = dict[str, Any]


class AbsentError(Exception):
    """What the contestant needs is not on this machine; the message says what, and how to get it."""


@dataclass(frozen=True)
class Prepared:
    """What a contestant is ready to run.

    Attributes:
      run: one timed repeat; it must have finished (be synchronised) when it returns.
      compile_s: seconds that were spent on compiling, which no repeat pays.
      check: called after each repeat and outside its time, for example to evaluate what was trained.
      info: anything worth writing down, for example the versions in use.
    """

    run: Callable[..., Numbers]
    compile_s: float = 0.0
    check: Callable[[], Numbers] | None = None
    info: Numbers = field(default_factory=dict)


def timed(run: Callable[..., Numbers], **arguments: Any) -> Numbers:
    """What `run` returns, with the seconds that it took."""
    cpu, start = time.process_time(), time.perf_counter()
    result = run(**arguments)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, **result}


def compiled(run: Callable[[], Numbers], **info: Any) -> Prepared:
    """A run whose first call compiles: called twice, so that the difference is the compile time."""
    first, second = timed(run)["seconds"], timed(run)["seconds"]
    return Prepared(run, max(0.0, first - second), info=info)


def serve(prepare: Callable[[Numbers], Prepared]) -> None:
    """Answers requests until standard input ends. What libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w", buffering=1) as replies:
        os.dup2(2, 1)
        prepared: Prepared | None = None
        for line in sys.stdin:
            request = json.loads(line)
            try:
                if request["do"] == "prepare":
                    prepared = None  # what was prepared before can be freed first
                    prepared = prepare(request["settings"])
                    answer = {"compile_s": prepared.compile_s, "info": prepared.info}
                else:
                    assert prepared is not None, "asked to run before anything was prepared"
                    answer = timed(prepared.run, **request.get("arguments", {}))
                    answer |= prepared.check() if prepared.check else {}
            except AbsentError as error:
                answer = {"absent": str(error)}
            except Exception as error:
                traceback.print_exc()
                message = (str(error).splitlines() or [""])[0]
                answer = {"error": f"{type(error).__name__}: {message}"}
            replies.write(json.dumps(answer) + "\n")
