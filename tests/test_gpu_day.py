"""`scripts/gpu` at a toy size: every part runs, and what it brings back is whole."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgerl.tasks.early_exit.trunk.data import FIT, POLICY
from edgerl.tasks.early_exit.trunk.weights import load_weights

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from gpu_day import images, parcels  # noqa: E402


def started(*arguments: str, timeout: int = 3600) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [ROOT / "scripts" / "gpu", *arguments]
    return subprocess.run(command, env=environment, timeout=timeout, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_every_part_runs_at_a_toy_size(tmp_path):
    done = started("--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["toy"]
    parts = found["parts"]
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(
        ("simulator", "ppo", "trunk", "vit"), "done"
    )
    names = {row["environment"] for row in parts["simulator"]["speed"]}
    assert {"CartPole-v1", "EarlyExit-v0", "Pendulum-v1"} <= names
    assert {row["seeds"] for row in parts["ppo"]["speed"]} == {1, 3}
    assert not any("failed" in part for part in parts.values()), parts
    assert [row["epoch"] for row in parts["trunk"]["epochs"]] == [1, 2, 3]
    assert parts["vit"]["judged"]
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"figures.json", *parts["trunk"]["epochs"][-1]["files"]}
    assert max(sizes.values()) < 16 * 2**20
    weights = tmp_path / "joined.npz"
    weights.write_bytes(parcels.joined(tmp_path, "trunk_weights.npz"))
    assert load_weights(weights)[0].width == 2


@pytest.mark.long
def test_a_part_that_fails_does_not_stop_the_others(tmp_path):
    """Without images the trunk cannot be trained."""
    done = started("--parts", "trunk", "ppo", "--minutes", "0.5", "--out", str(tmp_path))
    assert done.returncode == 1
    parts = json.loads((tmp_path / "figures.json").read_text())["parts"]
    assert parts["trunk"]["status"].startswith("failed: ")
    assert "no images were sent" in parts["trunk"]["status"]
    assert parts["ppo"]["machine"]
    assert parts["ppo"]["status"] == "done" or parts["ppo"]["status"].startswith("cut after")


def test_parts_of_a_file_are_the_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(data := bytes(range(256)) * 5)
    (tmp_path / "out").mkdir()
    assert len(parcels.split(tmp_path / "a.npz", tmp_path / "out", largest=100)) == 13
    assert parcels.joined(tmp_path / "out", "a.npz") == data


def test_packed_images_are_nearly_the_images():
    smooth = np.linspace(40, 200, 32).astype(np.uint8)
    one = np.stack([np.broadcast_to(smooth, (32, 32)), np.broadcast_to(smooth[:, None], (32, 32))] * 2)[:3]
    given = np.moveaxis(np.stack([np.roll(one, i, 0) for i in range(45)]), 1, -1)
    labels, split = np.arange(45, dtype=np.int32), np.where(np.arange(45) < 40, FIT, POLICY).astype(np.uint8)
    file = io.BytesIO()
    np.savez(file, **images.pack({"cifar10": (given, labels, split)}, 95))
    file.seek(0)
    found = images.unpack(dict(np.load(file)))
    np.testing.assert_array_equal(found["cifar10_labels"], labels)
    np.testing.assert_array_equal(found["cifar10_split"], split)
    assert found["cifar10_images"].shape == given.shape
    assert np.abs(found["cifar10_images"].astype(int) - given).mean() < 3
