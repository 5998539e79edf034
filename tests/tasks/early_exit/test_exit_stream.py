"""ExitStream-v0: decisions by hand, a plain Python reference, what is conserved, the contract."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import plain_stream
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variants import seldom

import edgerl
from edgerl.tasks.early_exit.draws import below, unit
from edgerl.tasks.early_exit.stream import power, queue
from edgerl.tasks.early_exit.stream.arrivals import Source, SourceState
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import (
    ASLEEP,
    CONTINUE,
    IDLE,
    NEWEST,
    OLDEST,
    SLEEP,
    Learning,
    StreamParams,
)
from edgerl.tasks.early_exit.stream.power import Supply
from edgerl.tasks.early_exit.table.packing import unpack

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

QUIET = Source(rate_calm=1e-9, rate_busy=1e-9)  # no frame comes
DARK = Supply(harvest=np.zeros(1, np.float32), capacity_j=100.0, idle_w=0.5, sleep_w=0.125)
NONE = np.inf


def words(*correct):
    """One image, right or wrong at each exit; each exit's probability is .6."""
    return np.array([153 << 2 | right for right in correct], np.uint32)


def device(source=QUIET, supply=DARK, **changes):
    """Three exits of 1, 2 and 4 s, a joule a second; the first and the last are right."""
    p = StreamParams(
        words=words(1, 0, 1),
        stage_s=np.array([1, 2, 4], np.float32),
        stage_j=np.array([1, 2, 4], np.float32),
        source=source,
        supply=supply,
        deadline_s=10.0,
        pause_s=60.0,
        wake_s=0.5,
        wake_j=0.25,
    )
    return ExitStream(3, p.replace(**changes), places=3)


@functools.cache
def started():
    return device().reset(jax.random.key(0))[1]


def state(env, position=ASLEEP, age=0.0, ages=(), battery=50.0, busy=False, **changes):
    begun = started()
    waiting = np.full(env.places, NONE, np.float32)
    waiting[: len(ages)] = ages
    numbers = {"age": age, "battery": battery, "clock": 0.0, "sky": 1.0, **changes}
    made = {name: jnp.float32(x) for name, x in numbers.items()}
    source = begun.source._replace(busy=jnp.asarray(busy))
    return begun._replace(position=jnp.int32(position), ages=tuple(jnp.asarray(waiting)), source=source, **made)


@functools.cache
def compiled(learning):
    """One step of any device, by its parameters."""
    return jax.jit(dataclasses.replace(device(), learning=learning).step)


def after(env, begun, action):
    """(state, reward, info) after one step."""
    _, new, reward, _, _, info = compiled(env.learning)(jax.random.key(1), begun, jnp.int32(action), env.default_params)
    return new, float(reward), info


def waiting(new):
    return [float(x) for x in new.ages if np.isfinite(x)]


def test_a_frame_goes_on_to_its_next_exit():
    new, reward, info = after(device(), state(device(), position=0, age=1.0), CONTINUE)
    assert (int(new.position), float(new.age), float(new.battery), reward) == (1, 3.0, 48.0, 0.0)
    assert (float(info["seconds"]), bool(info["answered"]), int(info["exit"])) == (2.0, False, -1)


@pytest.mark.parametrize(("exit", "paid"), [(0, 1.0), (1, 0.0), (2, 1.0)])
def test_an_answer_pays_if_it_is_right(exit, paid):
    new, reward, info = after(device(), state(device(), position=exit, age=5.0), SLEEP)
    assert (int(new.position), reward, int(info["exit"])) == (ASLEEP, paid, exit)
    # No frame comes in the 60 s of a pause, in which the device takes 0.125 W.
    assert (float(info["seconds"]), float(new.battery)) == (60.0, 42.5)


def test_the_last_exit_answers_whatever_is_decided():
    _, reward, info = after(device(), state(device(), position=2, age=5.0), CONTINUE)
    assert (reward, bool(info["answered"])) == (1.0, True)


def test_an_answer_after_the_deadline_pays_nothing():
    assert after(device(), state(device(), position=0, age=10.5), SLEEP)[1] == 0.0


def test_rewards_for_learning_are_probabilities_shaped_by_the_battery():
    env = dataclasses.replace(device(), learning=Learning(toll=0.5, joule=2.0, discount_s=100.0))
    _, reward, info = after(env, state(env, position=1), SLEEP)  # 60 s, and 42.5 of 50 J are left
    assert float(info["discount"]) == pytest.approx(np.exp(-0.6))
    assert reward == pytest.approx(0.6 + 2 * (np.exp(-0.6) * 42.5 - 50))


def test_each_frame_that_arrives_costs_its_toll_in_learning():
    env = dataclasses.replace(device(source=Source(gaps_s=np.array([1.5], np.float32))), learning=Learning(0.5, 0.0))
    begun = state(env, position=0)
    begun = begun._replace(source=SourceState(begun.source.busy, jnp.int32(0), jnp.float32(0.25)))
    assert after(env, begun, CONTINUE)[1] == -1.0


@pytest.mark.parametrize(("age", "battery"), [(8.5, 50.0), (1.0, 1.5)])
def test_a_stage_that_ends_too_late_or_cannot_be_paid_is_not_begun(age, battery):
    _, reward, info = after(device(), state(device(), position=0, age=age, battery=battery), CONTINUE)
    assert (reward, bool(info["answered"])) == (1.0, True)


@pytest.mark.parametrize(("action", "age", "left"), [(OLDEST, 6.0, [3.0, 4.0]), (NEWEST, 3.0, [4.0, 6.0])])
def test_the_oldest_or_the_newest_frame_is_taken(action, age, left):
    new, _, info = after(device(), state(device(), position=2, ages=[2.0, 3.0, 5.0]), action)
    assert (int(new.position), float(new.age), waiting(new)) == (0, age, left)
    assert (float(new.battery), float(info["seconds"]), float(info["lost"])) == (49.0, 1.0, 0.0)


def test_waking_up_takes_time_and_energy():
    new, _, info = after(device(), state(device(), position=ASLEEP, ages=[2.0]), OLDEST)
    assert (float(new.age), float(new.battery), float(info["seconds"])) == (3.5, 48.75, 1.5)


def test_a_device_without_a_frame_waits_awake():
    new, _, info = after(device(), state(device(), position=2), NEWEST)
    assert (int(new.position), float(info["seconds"]), float(new.battery)) == (IDLE, 60.0, 20.0)


def test_a_device_that_cannot_pay_for_an_exit_sleeps():
    new, _, _ = after(device(), state(device(), position=IDLE, ages=[2.0], battery=0.9), OLDEST)
    assert int(new.position) == ASLEEP
    assert float(new.battery) == 0.0  # less than nothing is not taken


def test_frames_that_waited_too_long_are_lost():
    new, _, info = after(device(), state(device(), position=0, ages=[2.0, 7.5, 8.0]), CONTINUE)
    assert (waiting(new), float(info["lost"])) == ([4.0], 2.0)


def test_a_full_queue_pushes_out_the_oldest():
    ages, pushed = queue.add(scalars(1.0, 2.0, 3.0), scalars(0.5, 0.25), (jnp.array(True),) * 2)
    assert ([float(age) for age in ages], float(pushed)) == ([0.25, 0.5, 1.0], 2.0)


def scalars(*numbers):
    return tuple(map(jnp.float32, numbers))


def test_frames_of_a_trace_come_when_they_did():
    env = device(source=Source(gaps_s=np.array([1.0, 0.5, 30.0], np.float32)))
    begun = state(env, position=0, age=1.0)
    begun = begun._replace(source=SourceState(begun.source.busy, jnp.int32(1), jnp.float32(0.25)))
    new, _, info = after(env, begun, CONTINUE)  # two frames, after 0.25 and 0.75 s; the third after 30.75 s
    assert (waiting(new), float(info["arrived"])) == ([1.25, 1.75], 2.0)
    assert (int(new.source.mark), float(new.source.gap)) == (0, 28.75)
    new, _, info = after(env, new._replace(ages=scalars(NONE, NONE, NONE)), SLEEP)  # it sleeps until then
    assert (waiting(new), float(info["seconds"]), float(new.source.gap)) == ([0.0], 28.75, 1.0)


def test_the_sun_charges_the_battery_by_day():
    supply = dataclasses.replace(DARK, harvest=np.array([0.0, 1.0], np.float32), panel_w=2.0)
    env = device(supply=supply)
    by_day = state(env, position=0, clock=50_000.0, sky=0.5)
    assert float(after(env, by_day, CONTINUE)[0].battery) == 50.0  # 2 J for the stage, 2 s of 1 W
    assert float(after(env, by_day._replace(clock=jnp.float32(0)), CONTINUE)[0].battery) == 48.0
    full = by_day._replace(battery=jnp.float32(99.9), sky=jnp.float32(1))
    assert float(after(env, full, CONTINUE)[0].battery) == 100.0


def test_daylight_has_the_mean_of_half_a_sine():
    assert power.daylight(48).mean() == pytest.approx(1 / np.pi, rel=1e-6)
    assert (power.daylight(48)[:12] == 0).all()


def test_rates_of_arrivals_are_those_of_the_chain():
    env = edgerl.make("ExitStream-v0")
    s = env.default_params.source
    share = s.leave_calm / (s.leave_calm + s.leave_busy)
    rate = share * s.rate_busy + (1 - share) * s.rate_calm

    def step(carry, key):
        found, total = carry
        _, found, _, _, _, info = jax.vmap(env.step)(jax.random.split(key, 64), found, jnp.full(64, SLEEP))
        return (found, total + jnp.stack([info["arrived"].sum(), info["seconds"].sum()])), None

    begun = jax.vmap(env.reset)(jax.random.split(jax.random.key(3), 64))[1]
    run = jax.jit(lambda: jax.lax.scan(step, (begun, jnp.zeros(2)), jax.random.split(jax.random.key(4), 4000)))
    frames, seconds = run()[0][1]
    assert float(frames / seconds) == pytest.approx(rate, rel=0.03)


GAPS = np.array([0.3, 2.0, 0.1, 0.05, 0.02, 7.0, 40.0, 0.4], np.float32)
SOURCES = {"bursty": Source(0.1, 2.0, 0.02, 0.1), "trace": Source(gaps_s=GAPS)}


@pytest.mark.parametrize("name", ["bursty", *seldom("trace")])
def test_it_is_what_plain_python_computes(name):
    shipped = edgerl.make("ExitStream-v0")
    supply = dataclasses.replace(shipped.default_params.supply, capacity_j=8.0, day_s=3000.0, panel_w=0.3)
    env = dataclasses.replace(
        shipped, default_params=shipped.default_params.replace(source=SOURCES[name], supply=supply)
    )
    p = env.default_params
    plain = plain_params(env)
    step, rng = jax.jit(env.step), np.random.default_rng(0)
    s = env.reset(jax.random.key(5))[1]
    for i in range(1500):
        key, action = jax.random.key(i), int(rng.choice(4, p=[0.5, 0.2, 0.2, 0.1]))
        bits = np.asarray(jax.random.bits(key, (env.places + 5,), jnp.uint32))
        u = np.asarray(unit(jnp.asarray(bits)), np.float64)
        named = {"gaps": u[: env.places + 1].tolist(), "change": u[-4], "left": u[-3], "sky": u[-2]}
        image = int(below(jnp.asarray(bits[-1]), p.words.size // env.exits))
        wanted, reward, happened = plain_stream.step(plain, plain_state(s), action, named, image)
        obs, s, paid, terminated, _, info = step(key, s, jnp.int32(action))
        found = plain_state(s)
        assert found.keys() == wanted.keys()
        for what in wanted:
            assert found[what] == pytest.approx(wanted[what], rel=1e-4, abs=2e-3), (i, what)
        assert {k: float(v) for k, v in info.items()} == pytest.approx(
            {k: float(v) for k, v in happened.items()}, rel=1e-4, abs=2e-3
        )
        assert float(paid) == pytest.approx(reward, abs=1e-5)
        assert bool(env.observation_space().contains(obs))
        assert not terminated


def plain_params(env):
    p = env.default_params
    source, supply = dataclasses.asdict(p.source), dataclasses.asdict(p.supply)
    source["gaps_s"] = None if p.source.gaps_s is None else p.source.gaps_s.tolist()
    named = {name: getattr(p, name) for name in ("deadline_s", "pause_s", "wake_s", "wake_j")}
    stages = {name: getattr(p, name).tolist() for name in ("stage_s", "stage_j")}
    correct = np.asarray(unpack(jnp.asarray(p.words)).correct)
    supply["harvest"] = supply["harvest"].tolist()
    return {**named, **stages, "correct": correct, "places": env.places, "source": source, "supply": supply}


def plain_state(s):
    """The numbers of a state, the queue's oldest frame first."""
    made = {name: float(getattr(s, name)) for name in ("position", "age", "battery", "clock", "sky", "recent")}
    made["position"] = int(made["position"])
    mark, gap = (0, 0.0) if s.source.mark is None else (int(s.source.mark), float(s.source.gap))
    queue_ages = [float(x) for x in s.ages[::-1] if np.isfinite(x)]
    return {**made, "queue": queue_ages, "busy": bool(s.source.busy), "mark": mark, "gap": gap}


@given(seed=st.integers(0, 2**31 - 1), lean=st.floats(0.0, 0.9))
@settings(max_examples=8, deadline=None)
def test_frames_and_energy_are_conserved(seed, lean):
    """What arrives is answered, lost or still there; what is charged is spent, spilled or still there."""
    new, sums, short = randomly_played()(jax.random.key(seed), jnp.float32(lean))
    there = np.isfinite(np.asarray(new.ages)).sum() + int(new.position >= 0)
    assert float(sums["arrived"]) == float(sums["answered"] + sums["lost"]) + there
    assert float(sums["right"]) <= float(sums["answered"])
    assert abs(float(short)) < 1e-2


@functools.cache
def randomly_played():
    """3,000 random decisions: the last state, sums of what happened, and how far charges are from the right ones."""
    env = edgerl.make("ExitStream-v0", load="heavy", capacity_j=20.0)
    p = env.default_params
    names = ("arrived", "answered", "lost", "right")

    def play(key, lean):
        def step(carry, key):
            s, sums, short = carry
            act_key, step_key = jax.random.split(key)
            u, v = jax.random.uniform(act_key, (2,))
            action = jnp.where(u < lean, CONTINUE, 1 + (3 * v).astype(jnp.int32))
            _, new, _, _, _, info = env.step(step_key, s, action, p)
            exact = jnp.clip(s.battery + info["harvested_j"] - info["spent_j"], 0, p.supply.capacity_j)
            sums = {name: sums[name] + info[name] for name in sums}
            return (new, sums, short + jnp.abs(exact - new.battery)), None

        begun = env.reset(key, p)[1], {name: jnp.float32(0) for name in names}, jnp.float32(0)
        return jax.lax.scan(step, begun, jax.random.split(key, 3000))[0]

    return jax.jit(play)


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, *seldom({"draw": True, "gaps_s": GAPS, "harvest": [1.0]})])
def test_it_keeps_the_contract(options):
    edgerl.check_environment(edgerl.make("ExitStream-v0", **options), num_steps=64)


def test_one_step_is_the_same_jitted_and_batched():
    env = edgerl.make("ExitStream-v0", draw=True)
    keys = jax.random.split(jax.random.key(7), 32)
    states = jax.vmap(env.reset)(keys)[1]
    actions = jnp.arange(32, dtype=jnp.int32) % 4
    many = jax.jit(jax.vmap(env.step))(keys, states, actions)
    alone = jax.jit(env.step)
    for i in range(32):
        one = alone(keys[i], jax.tree.map(lambda x, i=i: x[i], states), actions[i])
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a, b[i], rtol=1e-5, atol=1e-5), one, many)


def test_parameters_may_differ_between_environments():
    env, lanes = edgerl.make("ExitStream-v0"), 8
    p = env.default_params
    source = dataclasses.replace(p.source, rate_calm=np.linspace(0.01, 1, lanes).astype(np.float32))
    stats = edgerl.simulate(env, edgerl.random_policy(env), jax.random.key(0), num_envs=lanes, num_steps=50,
                            params=p.replace(source=source, horizon_s=100.0))  # fmt: skip
    assert stats.episodes > 0


def test_an_episode_ends_after_its_horizon():
    env = edgerl.make("ExitStream-v0")
    p = env.default_params.replace(horizon_s=120.0)
    s = env.reset(jax.random.key(0), p)[1]._replace(elapsed=jnp.float32(119.99))
    _, _, _, terminated, truncated, _ = env.step(jax.random.key(1), s, jnp.int32(OLDEST), p)
    assert (bool(terminated), bool(truncated)) == (False, True)


def test_drawn_conditions_are_observed_and_within_their_range():
    env = edgerl.make("ExitStream-v0", draw=True)
    obs, s = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 4000))
    p = env.default_params
    np.testing.assert_array_equal(obs[:, -3:], s.condition)
    np.testing.assert_allclose(np.asarray(s.condition).mean(0), 0.5, atol=0.03)
    most = p.supply.capacity_j * p.high[1]
    assert most * 0.9 < float(s.battery.max()) <= most
    assert len(env.observation_names) == env.observation_space().shape[0] == 15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"load": "none"}, "unknown load 'none'; known: light, heavy"),
        ({"split": "all"}, "unknown split 'all'"),
        ({"capacity_j": -1.0}, "capacity_j is -1.0; expected joules above 0"),
        ({"gaps_s": [1.0, 0.0]}, "gaps_s: expected a list of seconds above 0, one number at least"),
        ({"harvest": [2.0]}, "harvest: expected a list of shares from 0 to 1"),
        ({"harvest": []}, "harvest: expected a list of shares from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(options, said):
    with pytest.raises(edgerl.UserError, match=said):
        edgerl.make("ExitStream-v0", **options)
