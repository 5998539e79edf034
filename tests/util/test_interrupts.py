"""Ctrl-C while something must not be left half done."""

import os
import signal
import threading

import pytest

from edgerl.util.checkpoint import open_checkpoints
from edgerl.util.interrupts import held


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_for_the_end_of_the_block():
    done = []

    def work():
        with held():
            interrupt()
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_within_the_block_comes_through():
    with pytest.raises(ZeroDivisionError), held():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_is_left_alone():
    def work():
        with held():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finished.append(True)

    finished = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert finished == [True]


def test_a_checkpoint_is_whole_when_ctrl_c_arrives_while_it_is_written(tmp_path, monkeypatch):
    with open_checkpoints(tmp_path) as checkpoints:
        save = checkpoints._manager.save

        def interrupted(*args, **options):
            interrupt()
            return save(*args, **options)

        monkeypatch.setattr(checkpoints._manager, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(7, {"x": 1.0})
        assert checkpoints.latest() == 7
