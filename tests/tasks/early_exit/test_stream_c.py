"""NAME_stream.c beside the environment: the same queue, the same observations, the same ends, event by event."""

import ctypes
import dataclasses
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import edgerl
from edgerl.deploy import names
from edgerl.deploy.extras import Firmware
from edgerl.tasks.early_exit.stream import c_files
from edgerl.tasks.early_exit.stream.parts import ASLEEP, IDLE, NAMES

WORDS = names.words("policy", "0" * 64)
PLACES = 4
COMPUTE, WAIT, SLEEP = range(3)

# In the generated policy's place: it keeps what it sees, and decides what the test wants.
POLICY_H = """
#ifndef EDGERL_POLICY_H
#define EDGERL_POLICY_H
#define POLICY_FEATURES 12
#define POLICY_ACTIONS 4
int policy_act(const float obs[POLICY_FEATURES]);
#endif
"""
POLICY_C = """
#include "policy_stream.h"
float seen[POLICY_FEATURES];
int wanted;
int policy_act(const float obs[POLICY_FEATURES])
{
    int i;
    for (i = 0; i < POLICY_FEATURES; i++) seen[i] = obs[i];
    return wanted;
}
void start(struct policy_stream *s) { policy_stream_init(s); }
void elapse(struct policy_stream *s, float seconds) { policy_stream_pass(s, seconds); }
int arrive(struct policy_stream *s) { return policy_stream_arrive(s); }
void reach(struct policy_stream *s, float p, float m, int c) { policy_stream_reach(s, p, m, c); }
int next(struct policy_stream *s, float battery, float harvest, float day)
{
    const struct policy_power now = {battery, harvest, day};
    return policy_next(s, &now);
}
unsigned long size(void) { return sizeof(struct policy_stream); }
"""


class Stream(ctypes.Structure):
    """The header's `struct policy_stream`."""

    _fields_ = (
        ("slot", ctypes.c_int),
        ("exit", ctypes.c_int),
        ("answer", ctypes.c_int),
        ("lost", ctypes.c_long),
        ("ages", ctypes.c_float * PLACES),
        ("slots", ctypes.c_int * PLACES),
        ("waiting", ctypes.c_int),
        ("age", ctypes.c_float),
        ("probability", ctypes.c_float),
        ("margin", ctypes.c_float),
        ("prediction", ctypes.c_int),
        ("agrees", ctypes.c_int),
        ("asleep", ctypes.c_int),
        ("waits", ctypes.c_int),
        ("recent", ctypes.c_float),
        ("since", ctypes.c_float),
        ("came", ctypes.c_int),
    )


@dataclasses.dataclass(frozen=True)
class Sized:
    """A policy of which only the sizes are looked at."""

    sizes: tuple[int, ...] = (12, 32, 4)


@pytest.fixture(scope="module")
def env():
    """Frames by a trace, now close together and now far apart; a battery that is often empty."""
    rng = np.random.default_rng(0)
    gaps = np.where(rng.random(500) < 0.8, rng.exponential(0.8, 500), rng.exponential(20.0, 500)) + 0.01
    made = edgerl.make("ExitStream-v0", gaps_s=gaps, capacity_j=4.0)
    p = made.default_params
    return dataclasses.replace(made, default_params=p.replace(supply=p.supply.replace(day_s=3000.0)))


@pytest.fixture(scope="module")
def library(env, tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    c_files.write(folder, folder, c_files.extra_of(env).said, Firmware(Sized(), WORDS))
    (folder / "policy.h").write_text(POLICY_H)
    (folder / "policy.c").write_text(POLICY_C)
    strict = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]
    files = ["policy.c", "policy_stream.c", "-o", "lib.so"]
    subprocess.run(["gcc", *strict, "-shared", "-fPIC", *files], cwd=folder, check=True)
    found = ctypes.CDLL(str(folder / "lib.so"))
    for name, kinds in (("start", 0), ("arrive", 0), ("elapse", 1), ("next", 3)):
        getattr(found, name).argtypes = [ctypes.c_void_p, *[ctypes.c_float] * kinds]
    found.reach.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_float, ctypes.c_int]
    return found


def test_the_firmwares_queue_sees_and_does_what_the_environment_does(env, library):
    stream, supply = Stream(), env.default_params.supply
    assert library.size() == ctypes.sizeof(stream)
    at = ctypes.addressof(stream)
    library.start(at)
    seen = (ctypes.c_float * len(NAMES)).in_dll(library, "seen")
    wanted = ctypes.c_int.in_dll(library, "wanted")
    step, rng = jax.jit(env.step), np.random.default_rng(1)
    obs, state = env.reset(jax.random.key(0))
    prediction, lost, found = 0, 0, {COMPUTE: 0, WAIT: 0, SLEEP: 0}
    for i in range(3000):
        wanted.value = int(rng.choice(4, p=[0.5, 0.2, 0.2, 0.1]))
        day = float(state.clock) / float(supply.day_s)
        power = float(state.battery) / float(supply.capacity_j), float(obs[8]), day
        done = library.next(at, *power)
        np.testing.assert_allclose(seen[:], obs, atol=1e-4, err_msg=f"step {i}")
        obs, after, _, _, _, info = step(jax.random.key(i), state, jnp.int32(wanted.value))
        found[done] += 1
        assert (stream.answer >= 0) == bool(info["answered"])
        seconds, arrived = float(info["seconds"]), int(info["arrived"])
        left = seconds
        times = np.cumsum([float(state.source.gap), *trace_after(env, state, arrived - 1)])[:arrived]
        for j, time in enumerate(times):
            library.elapse(at, max(0.0, time - (seconds - left)))
            left = seconds - time
            library.arrive(at)
            if j == 0 and done == WAIT:
                assert library.next(at, *power) == COMPUTE
        library.elapse(at, max(0.0, left))
        expected = {IDLE: WAIT, ASLEEP: SLEEP}.get(int(after.position), COMPUTE)
        assert done == (WAIT if done == WAIT and arrived else expected)
        if int(after.position) >= 0:
            prediction += int(obs[2] < 0.5)
            library.reach(at, float(obs[0]), float(obs[1]), prediction)
            assert stream.exit == int(after.position) % env.exits
        lost += int(info["lost"])
        assert stream.lost == lost
        state = after
    assert min(found.values()) > 30
    assert lost > 30


def trace_after(env, state, count):
    """The gaps between the next frames."""
    gaps = env.default_params.source.gaps_s
    return [float(gaps[(int(state.source.mark) + i) % len(gaps)]) for i in range(max(0, count))]


def test_a_frame_gets_a_place_that_no_other_has(library):
    stream = Stream()
    at = ctypes.addressof(stream)
    library.start(at)
    assert [library.arrive(at) for _ in range(PLACES)] == [0, 1, 2, 3]
    assert library.arrive(at) == 0  # the oldest is lost
    assert (stream.lost, list(stream.slots)) == (1, [0, 3, 2, 1])
    ctypes.c_int.in_dll(library, "wanted").value = 1
    assert library.next(at, 1.0, 0.0, 0.5) == COMPUTE
    assert stream.slot == 1
    assert library.arrive(at) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"places": 0},
        {"places": 2.0},
        {"stage_s": []},
        {"stage_j": [1.0]},
        {"wake_s": "1"},
        {"deadline_s": None},
        {"more": 1},
    ],
)
def test_a_report_that_describes_no_stream_is_refused(env, change, tmp_path):
    said = {**c_files.extra_of(env).said, **change}
    with pytest.raises(edgerl.UserError, match=r"report\.json: extra\.stream"):
        c_files.write(tmp_path, tmp_path, said, Firmware(Sized(), WORDS))


def test_a_policy_of_other_sizes_is_refused(env, tmp_path):
    with pytest.raises(edgerl.UserError, match="not that of a stream"):
        c_files.write(tmp_path, tmp_path, c_files.extra_of(env).said, Firmware(Sized((15, 32, 4)), WORDS))
