"""The loop closed over the serial protocol: a simulator on this side, a chip that runs the exported policy on that.

The chip is the ESP-IDF example of an export, cross-compiled with picolibc and run by QEMU as rv32imc; it is asked
`obs: [f f f f]` and answers `action: n`, a line each, as a board with the same program would.

    python -m edgerl.deploy.serial EXPORT [--env CartPole-v1] [--episodes 100]
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import names, toolchain
from edgerl.deploy.targets import esp_idf
from edgerl.envs.environment import Environment
from edgerl.envs.registry import make
from edgerl.util.errors import UserError

# Where QEMU's `virt` machine has its memory, for picolibc's linker script.
_MEMORY = {"flash": 0x80000000, "flash_size": 0x100000, "ram": 0x80100000, "ram_size": 0x100000, "stack_size": 0x4000}


class Chip:
    """Something that speaks the protocol over two streams."""

    def __init__(self, sent: IO[str], received: IO[str]) -> None:
        self._sent, self._received = sent, received

    def act(self, observations: np.ndarray) -> np.ndarray:
        """int32 actions [N] for float32 observations [N, features], asked one after the other.

        Raises:
          toolchain.ToolError: the chip answered something else, or nothing.
        """
        # Nine digits name a float32. One line is out while the next is on its way; the rest waits in the pipe.
        self._sent.writelines(f"obs: [{' '.join(f'{value:.9g}' for value in row)}]\n" for row in observations.tolist())
        self._sent.flush()
        return np.array([self._answer() for _ in observations], np.int32)

    def _answer(self) -> int:
        line = self._received.readline()
        word, _, number = line.strip().partition(": ")
        if word != "action" or not number.isdigit():
            raise toolchain.ToolError(f"the chip answered {line!r}, expected 'action: n'")
        return int(number)


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
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
        )  # fmt: skip
        assert chip.stdin is not None
        assert chip.stdout is not None
        try:
            greeting = chip.stdout.readline()
            if not greeting.startswith("self-test: 0 of"):
                raise toolchain.ToolError(f"the chip's self-test failed: {greeting.strip() or 'it said nothing'}")
            chip.stdout.readline()  # cycles
            yield Chip(chip.stdin, chip.stdout)
        finally:
            chip.kill()
            chip.communicate()


def play(chip: Chip, env: Environment, key: chex.PRNGKey, episodes: int) -> np.ndarray:
    """float32 returns [episodes] of that many first episodes, all decided by the chip."""
    params = env.default_params
    reset = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))
    step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))
    key, reset_key = jax.random.split(key)
    obs, state = reset(jax.random.split(reset_key, episodes), params)
    running, returns = np.ones(episodes, bool), np.zeros(episodes, np.float32)
    while running.any():
        actions = np.zeros(episodes, np.int32)
        actions[running] = chip.act(np.asarray(obs)[running])
        key, step_key = jax.random.split(key)
        keys = jax.random.split(step_key, episodes)
        obs, state, reward, terminated, truncated, _ = step(keys, state, jnp.asarray(actions), params)
        returns += np.where(running, np.asarray(reward), 0)
        running &= ~np.asarray(terminated | truncated)
    return returns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    try:
        with emulated_chip(options.export) as chip:
            returns = play(chip, make(options.env), jax.random.key(0), options.episodes)
    except (UserError, toolchain.ToolError) as error:
        raise SystemExit(f"error: {error}") from None
    print(json.dumps({"episodes": len(returns), "mean": float(returns.mean()), "min": float(returns.min())}))


if __name__ == "__main__":
    main()
