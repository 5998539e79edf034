"""Checkpoints on a disk that is full, and damaged ones."""

import errno
import os
import shutil

import numpy as np
import pytest

from edgerl import UserError
from edgerl.util.checkpoint import open_checkpoints

TREE = {"x": np.arange(3.0)}


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, TREE)
        with monkeypatch.context() as disk:
            disk.setattr(os, "posix_fallocate", full)
            with pytest.raises(UserError, match=r"^cannot write a checkpoint in .*: No space left on device$"):
                checkpoints.save(2, TREE)
        assert [path.name for path in tmp_path.iterdir()] == ["1"]
        assert checkpoints.restore(1, like=TREE)["x"].tolist() == [0, 1, 2]


def test_what_orbax_itself_meets_is_one_line(tmp_path, monkeypatch):
    with open_checkpoints(tmp_path) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "save", full)
        with pytest.raises(UserError, match="No space left on device"):
            checkpoints.save(2, TREE)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot open the checkpoints"), open_checkpoints(tmp_path / "file" / "below"):
        pass


def test_a_damaged_checkpoint_is_named(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, TREE)
    for path in (tmp_path / "3" / "default").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.write_bytes(b"damaged")
    with open_checkpoints(tmp_path) as checkpoints:
        with pytest.raises(UserError, match=r"the checkpoint .*/3 is damaged or of another training") as caught:
            checkpoints.restore(3, like=TREE)
        assert "\n" not in str(caught.value)
