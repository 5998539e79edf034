import pytest

from edgerl import UserError
from edgerl.tasks.early_exit.goals import goal_for
from edgerl.tasks.early_exit.trunk.model import TrunkConfig, exit_macs
from edgerl.tasks.hardware.cost import latency_ms
from edgerl.tasks.hardware.profiles import Profile, load_profile, profile_names


def test_every_profile_loads_and_names_its_sources():
    assert {"low_power", "medium_power", "high_power", "esp32_c3"} <= set(profile_names())
    for name in profile_names():
        assert len(load_profile(name).source) > 40


@pytest.mark.parametrize(
    ("name", "latency", "flops", "accuracy", "weights"),
    [
        ("low_power", 15, 50e6, 0.65, (0.7, 0.06 * 1.0, 0.06 * 0.8)),
        ("medium_power", 30, 150e6, 0.75, (1.0, 0.5 * 0.5, 0.5 * 0.3)),
        ("high_power", 50, 500e6, 0.85, (1.5, 0.2, 0.1)),
    ],
)
def test_profiles_keep_the_figures_of_their_sources(name, latency, flops, accuracy, weights):
    goal = goal_for(name)
    assert goal.max_latency_ms == latency
    assert 2 * goal.max_macs == pytest.approx(flops, rel=1e-3)
    assert goal.target_accuracy == accuracy
    assert (goal.alpha, goal.beta, goal.gamma) == pytest.approx(weights)


@pytest.mark.parametrize(
    ("name", "width"),
    [("low_power", 16), ("medium_power", 32), ("high_power", 64), ("esp32_c3", 16), ("esp32_s3", 16), ("esp32", 16)],
)
def test_budget_separates_the_exits_of_the_trunk_it_is_matched_to(name, width):
    goal = goal_for(name)
    fits = latency_ms(goal.board, exit_macs(TrunkConfig(width=width))) <= goal.max_latency_ms
    assert fits[0]
    assert not fits[-1]


def test_a_users_own_profile(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("macs_per_second: 3e8\nram_bytes: 262144\n")
    assert load_profile(path) == Profile(macs_per_second=3e8, ram_bytes=2**18)


def test_a_microcontroller_tells_what_it_holds_and_who_compiles_for_it():
    for name in ("esp32", "esp32_c3", "esp32_s3"):
        board = load_profile(name)
        assert board.flash_bytes >= 4 * 2**20 > 2**20 > board.ram_bytes >= 400 * 2**10
        assert board.instruction_set
        assert board.toolchain.endswith("gcc")


def test_keys_that_ask_something_of_a_board_are_told_where_they_went(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("macs_per_second: 3e8\nmax_latency_ms: 40\nbeta: 0.1\n")
    with pytest.raises(
        UserError, match=r"configuration of early-exit.*--set max_latency_ms=40 --set beta=0.1"
    ) as error:
        load_profile(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macs_per_secnd: 1", "unknown key 'macs_per_secnd'"),
        ("power_mw: -1", "power_mw: -1.0 is below"),
        ("power_mw: much", "power_mw: expected a number"),
        ("- 1", "expected keys and values"),
    ],
)
def test_a_wrong_profile_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_profile(path)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="low_power"):
        load_profile("lowpower")
