"""Where a peer's Python is found, and what is said when there is none."""

import sys
from importlib.metadata import version

import peers
import pytest


@pytest.fixture
def lists(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGERL_PEERS", str(tmp_path / "peers"))
    monkeypatch.setattr(peers, "LISTS", tmp_path)
    return tmp_path


def test_every_list_is_pinned():
    package = {name: name for name in ("emlearn", "envpool", "gymnasium", "gymnax", "rejax", "rltools", "torch")} | {
        "sbx": "sbx-rl"
    }
    assert set(package) == set(peers.names())
    for name in peers.names():
        assert package[name] in peers.requirements(name)


def test_this_python_serves_where_it_has_the_versions(lists):
    (lists / "here.txt").write_text(f"numpy=={version('numpy')}\n")
    assert peers.interpreter("here", install=False) == sys.executable


@pytest.mark.parametrize("line", ["numpy==0.0.1", "no-such-package==1.0"])
def test_absent_peer_names_package_and_command(lists, line):
    (lists / "other.txt").write_text(f"{line}\n")
    with pytest.raises(peers.PeerAbsentError, match=r"benchmarks/peers\.py other.*" + line):
        peers.interpreter("other", install=False)


def test_environment_is_made_once_and_again_when_the_list_changes(lists, monkeypatch, capsys):
    calls = []

    def pretend(name, *command):
        calls.append(command)
        peers.folder(name).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(peers, "_call", pretend)
    (lists / "other.txt").write_text("no-such-package==1.0\n")
    python = peers.interpreter("other", install=True)
    assert python == str(lists / "peers" / "other" / "bin" / "python")
    assert [command[1:3] for command in calls] == [("-m", "venv"), ("-m", "pip")]
    assert capsys.readouterr().err.count("\n") == 1
    assert peers.interpreter("other", install=True) == python
    assert len(calls) == 2
    (lists / "other.txt").write_text("no-such-package==2.0\n")
    peers.interpreter("other", install=True)
    assert len(calls) == 4


def test_failed_installation_is_one_line_and_not_taken_for_done(lists, monkeypatch):
    (lists / "other.txt").write_text("no-such-package==1.0\n")
    call = peers._call

    def without_venv(name, *command):
        if "venv" in command:
            return
        call(name, sys.executable, "-c", "print('ERROR: no such version'); print('try again'); raise SystemExit(1)")

    monkeypatch.setattr(peers, "_call", without_venv)
    for _ in range(2):
        with pytest.raises(peers.PeerAbsentError, match=r"^other could not be installed: ERROR: no such version$"):
            peers.interpreter("other", install=True)
