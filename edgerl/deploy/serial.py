"""The loop closed over a serial line: a simulator on this side, a chip that runs the exported policy on that.

The chip is a board with the export's example on it, or the same example cross-compiled with picolibc and run by QEMU as
rv32imc. It is asked `obs: [f f f f]*HH` and answers `action: n*HH`, or `action: [n n]*HH` of a continuous one in Q15,
a line each; HH is the exclusive or of all
characters before the star, in hexadecimal. A line that is lost or damaged is asked for again.

A policy with memory is asked `start: [f f]#0*HH` first and then `obs: [f f]#1*HH` and so on. By the digit, which
differs from step to step, the chip knows a question that comes again, and takes the step once.
"""

import dataclasses
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import box_actions, names, toolchain
from edgerl.deploy.serial_lines import Line, Pipes, Port
from edgerl.deploy.targets import esp_idf
from edgerl.envs.environment import Environment
from edgerl.envs.spaces import Box, Space
from edgerl.util import progress
from edgerl.util.errors import UserError

_ANSWER = re.compile(r"action: ((?P<one>\d+)|\[(?P<several>-?\d+( -?\d+)*)\])")
_PATIENCE = 1.0  # seconds for an answer
_BOOT = 10.0  # seconds until a board has said what its self-test found
_TRIES = 20  # of one question
# Where QEMU's `virt` machine has its memory, for picolibc's linker script.
_MEMORY = {"flash": 0x80000000, "flash_size": 0x100000, "ram": 0x80100000, "ram_size": 0x100000, "stack_size": 0x4000}


@dataclasses.dataclass
class Record:
    """What happened on a line.

    Attributes:
      seconds: of each answer.
      damaged: answers or questions whose checksum was wrong.
      lost: questions without an answer.
      resets: how often the board began anew meanwhile.
    """

    seconds: list[float] = dataclasses.field(default_factory=list)
    damaged: int = 0
    lost: int = 0
    resets: int = 0

    def summary(self) -> dict[str, Any]:
        """Plain numbers; times in milliseconds."""
        times = 1000 * np.array(self.seconds or [0.0])
        return {
            "decisions": len(self.seconds),
            "round_trip_ms": {"median": float(np.median(times)), "max": float(times.max())},
            "checksum_errors": self.damaged,
            "lost": self.lost,
            "resets": self.resets,
        }


class Chip:
    """Something that speaks the protocol over a line.

    Attributes:
      line: to it.
      record: what happened on the line.
      remembers: whether its policy has a memory.
    """

    def __init__(self, line: Line, remembers: bool = False) -> None:
        self.line, self.record, self.remembers = line, Record(), remembers
        self._step = 0  # of the episode

    def act(self, observations: np.ndarray, start: bool = False) -> np.ndarray:
        """What the chip answers to float32 observations [N, features], asked one after the other: int32 actions [N], or
        [N, numbers] of continuous ones, in Q15.

        Args:
          start: whether the first one begins an episode, before which a policy with memory forgets.
        Raises:
          toolchain.ToolError: the chip does not answer, or something else.
        """
        self._step = 0 if start else self._step
        return np.array([self._ask(row) for row in observations.tolist()], np.int32)

    def _question(self, row: list[float]) -> str:
        numbers = " ".join(f"{value:.9g}" for value in row)  # nine digits name a float32
        if not self.remembers:
            return f"obs: [{numbers}]"
        word, digit = "obs" if self._step else "start", self._step % 10
        self._step += 1
        return f"{word}: [{numbers}]#{digit}"

    def _ask(self, row: list[float]) -> int | list[int]:
        question = self._question(row)
        answer = b""
        for _ in range(_TRIES):
            began = time.perf_counter()
            self.line.write(f"{question}*{checksum(question):02X}\n".encode())
            answer = self.line.readline(_PATIENCE)
            text = answer.decode(errors="replace").strip()
            body, star, digits = text.rpartition("*")
            said = _ANSWER.fullmatch(body)
            if star and digits == f"{checksum(body):02X}" and said:
                self.record.seconds.append(time.perf_counter() - began)
                return int(said["one"]) if said["one"] else [int(number) for number in said["several"].split()]
            self._note(text)
        raise toolchain.ToolError(f"the chip answered {answer[:60]!r} to {question[:60]!r}, {_TRIES} times")

    def _note(self, text: str) -> None:
        """Counts what came instead of an answer; what else is on its way is thrown away."""
        if not text:
            self.record.lost += 1
        elif text.startswith("self-test"):
            self.record.resets += 1
        else:
            self.record.damaged += 1
        while self.line.readline(0.05):
            pass


def checksum(text: str) -> int:
    """The exclusive or of all characters."""
    made = 0
    for byte in text.encode():
        made ^= byte
    return made


@contextmanager
def board(port: str, export: str | Path | None = None) -> Iterator[Chip]:
    """The board at a port, which has the example of an export on it.

    Args:
      export: its folder, by which a policy with memory is known.
    Raises:
      UserError: the port cannot be opened, or pySerial is not installed.
      toolchain.ToolError: the board's self-test failed.
    """
    line = Port(port)
    try:
        _greet(line, must=False)  # some boards begin anew when the port is opened, some do not
        yield Chip(line, remembers=export is not None and _remembers(Path(export)))
    finally:
        line.close()


def _greet(line: Line, must: bool) -> None:
    """Reads what a chip says of its self-test when it begins."""
    greeting = line.readline(_BOOT if must else 2.5).decode(errors="replace").strip()
    if (greeting or must) and "self-test: 0 of" not in greeting:
        raise toolchain.ToolError(f"the chip's self-test failed: {greeting or 'it said nothing'}")
    if greeting:
        line.readline(_PATIENCE)  # cycles


def _remembers(export: Path) -> bool:
    """Whether the policy of an export has a memory, by its ESP-IDF component's header."""
    name = names.of_folder(export)
    header = export / "esp_idf" / "components" / esp_idf.component(name) / "include" / f"{name}.h"
    return f"#define {name.upper()}_MEMORY " in header.read_text()


def missing() -> str | None:
    """None if the emulated chip can be built and run, else what to install."""
    if found := toolchain.RV32.missing("qemu-system-riscv32"):
        return found
    probe = [toolchain.RV32.compiler, "--specs=picolibc.specs", "-E", "-x", "c", "/dev/null"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        return "not installed: picolibc-riscv64-unknown-elf (Debian packages)"
    return None


@contextmanager
def emulated_chip(export: str | Path) -> Iterator[Chip]:
    """An emulated RV32 with the ESP-IDF example of an export folder on it; its self-test has passed.

    Raises:
      UserError: not an export, or a tool is not installed.
    """
    project, name = Path(export) / "esp_idf", names.of_folder(Path(export))
    component = project / "components" / esp_idf.component(name)
    if not (component / f"{name}.c").is_file():
        raise UserError(f"{export} has no ESP-IDF project: expected the folder that `edgerl export` wrote")
    if problem := missing():
        raise UserError(problem)
    with tempfile.TemporaryDirectory() as temporary:
        program = Path(temporary) / "console"
        memory = ",".join(f"--defsym=__{name}={value:#x}" for name, value in _MEMORY.items())
        flags = ["-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany", "-O2", "--specs=picolibc.specs", f"-Wl,{memory}"]
        sources = [str(project / "main" / "main.c"), *map(str, sorted(component.glob("*.c")))]
        include = ["-I", str(component / "include"), "-I", toolchain.harness("esp_idf")]
        sources += [toolchain.harness("console.c")]
        toolchain.run([toolchain.RV32.compiler, *flags, *include, *sources, "-o", str(program)])
        command = ["qemu-system-riscv32", "-M", "virt", "-bios", "none", "-display", "none", "-monitor", "none"]
        chip = subprocess.Popen(
            [*command, "-serial", "stdio", "-kernel", str(program)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        line = Pipes(chip)
        try:
            _greet(line, must=True)
            yield Chip(line, remembers=_remembers(Path(export)))
        finally:
            chip.kill()
            chip.communicate()


def _taken(space: Space, answers: np.ndarray) -> np.ndarray:
    """The actions that a chip means.

    Raises:
      toolchain.ToolError: they are of another kind of space.
    """
    if isinstance(space, Box) != (answers.ndim == 2):
        raise toolchain.ToolError(f"the chip answers {answers[0]}, but the environment takes actions of {space}")
    if not isinstance(space, Box):
        return answers
    return np.asarray(box_actions.units(space)(answers >> 8)).reshape(-1, *space.shape)


def play(chip: Chip, env: Environment, key: chex.PRNGKey, episodes: int) -> np.ndarray:
    """float32 returns [episodes] of that many first episodes, all decided by the chip.

    They are played side by side; where its policy has a memory, one after the other.
    """
    if chip.remembers and episodes > 1:
        return np.concatenate([play(chip, env, one, 1) for one in jax.random.split(key, episodes)])
    params, space = env.default_params, env.action_space(env.default_params)
    reset = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))
    step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))
    key, reset_key = jax.random.split(key)
    obs, state = reset(jax.random.split(reset_key, episodes), params)
    running, returns, start = np.ones(episodes, bool), np.zeros(episodes, np.float32), True
    with progress.counted("serial", "step") as tick:
        while running.any():
            actions = np.zeros((episodes, *space.shape), space.dtype)
            actions[running] = _taken(space, chip.act(np.asarray(obs)[running], start))
            start = False
            key, step_key = jax.random.split(key)
            keys = jax.random.split(step_key, episodes)
            obs, state, reward, terminated, truncated, _ = step(keys, state, jnp.asarray(actions), params)
            returns += np.where(running, np.asarray(reward), 0)
            running &= ~np.asarray(terminated | truncated)
            tick()
    return returns
