"""The C of `edgerl bench deploy`'s contestants: the same perceptron as an export, in TFLM, as float C and by emlearn.

TFLM is linked from a folder that `EDGERL_TFLM` names: `libtensorflow-microlite.a`, as TFLM's own build makes it for
rv32imc, and `flags.txt`, the flags by which the C++ compiler finds TFLM's headers (and a C++ library's, where it has
none of its own). The model, the operators, the arena and the calls are those of the export's folder `tflm`.
"""

import os
import shlex
from pathlib import Path

import float_c
import numpy as np
import peers
from on_cores import BOARDS, Program, picolibc

from edgerl.deploy import toolchain
from edgerl.deploy.toolchain import RV32

TFLM = "EDGERL_TFLM"
LEVELS = ("-O2", "-O3")  # of the peers' C in floats: the faster one counts
_CXX = ("-std=c++17", "-O2", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-ffunction-sections")
_CALLS = "int peer_prepare(void);\nint peer_act(const float *observation);\n"
_PEER = '#include "{header}"\n' + _CALLS + "int peer_prepare(void) {{ {prepare} }}\nint peer_act({o}) {{ {act} }}\n"


def ours(folder: Path, out: Path) -> list[Program]:
    """The generated C of an export."""
    peer = _peer(out / "peer.c", "policy.h", "return 0;", "return policy_act(observation);")
    return [Program((folder / "policy.c", peer), (folder,), setting="-O2")]


def tflm(folder: Path, out: Path) -> list[Program]:
    """The export's model in TFLM's interpreter.

    Raises:
      PeerAbsentError, UserError: TFLM's library, a compiler or a C library is missing.
      ToolError: it does not compile.
    """
    peer = out / "peer.cc"
    peer.write_text(
        '#include "policy_tflm.h"\nextern "C" void (*constructors[])();\nextern "C" void (*constructors_end[])();\n'
        'extern "C" int peer_prepare() {\n'
        "  for (void (**call)() = constructors; call != constructors_end; call++) (*call)();\n"
        "  return policy_tflm_begin() ? 0 : 1;\n}\n"
        'extern "C" int peer_act(const float *observation) { return policy_tflm_act(observation); }\n'
    )
    sources = [folder / "tflm" / "policy_tflm.cc", folder / "policy_model_data.cc", peer]
    linked = tflm_linked(sources, [folder, folder / "tflm"], out)
    setting = "reference kernels, only the model's operators, no messages; quantised by the export's integers"
    return [Program((*linked, folder / "policy.c"), (folder,), setting=setting)]


def tflm_linked(sources: list[Path], include: list[Path], out: Path) -> tuple[str | Path, ...]:
    """Objects of C++ sources, compiled into `out`, and the archives with TFLM; errors as those of `tflm`."""
    library = Path(os.environ.get(TFLM, "")) / "libtensorflow-microlite.a"
    if not os.environ.get(TFLM) or not library.is_file():
        raise peers.PeerAbsentError(f"no libtensorflow-microlite.a: build TFLM for rv32imc, name its folder by {TFLM}")
    headers, archives = picolibc()
    flags = library.with_name("flags.txt")
    found = shlex.split(flags.read_text()) if flags.is_file() else []
    own = [flag for flag in RV32.flags if flag != "-ffreestanding"]
    folders = [*(f"-I{path}" for path in include), *found, "-isystem", str(headers)]
    objects = []
    for source in [*sources, BOARDS / "tflm_port.cc"]:
        objects.append((out / source.name).with_suffix(".o"))
        compiler = RV32.compiler.removesuffix("gcc") + "g++"
        toolchain.run([compiler, *own, *_CXX, *folders, "-c", str(source), "-o", str(objects[-1])])
    return (*objects, library, *archives)


def plain(kernels: list[np.ndarray], biases: list[np.ndarray], out: Path) -> list[Program]:
    """Float C as one writes it by hand, of a perceptron with ReLU."""
    float_c.write(out, kernels, biases)
    peer = _peer(out / "peer.c", "policy.h", "return 0;", "return policy_act(observation);")
    return [Program((out / "policy.c", peer), (out,), (level,), level) for level in LEVELS]


def emlearn(
    kernels: list[np.ndarray], biases: list[np.ndarray], activation: str, out: Path, install: bool
) -> list[Program]:
    """The float C that emlearn writes.

    Raises:
      PeerAbsentError, UserError: emlearn or a C library is missing.
      ToolError: it failed.
    """
    python = peers.interpreter("emlearn", install)
    arrays = {f"kernel_{i}": kernel for i, kernel in enumerate(kernels)}
    arrays |= {f"bias_{i}": bias for i, bias in enumerate(biases)}
    np.savez(out / "network.npz", activation=np.array(activation), **arrays)
    script = Path(__file__).resolve().parent / "contestants" / "emlearn_net.py"
    headers = Path(toolchain.run([python, str(script), str(out)]).splitlines()[-1])
    include, archives = picolibc()
    act = f"return (int)net_predict(observation, {len(kernels[0])});"
    peer, flags = _peer(out / "peer.c", "network.h", "return 0;", act), ("-w", "-isystem", str(include))
    return [Program((peer, *archives), (out, headers), (level, *flags), level) for level in LEVELS]


def _peer(path: Path, header: str, prepare: str, act: str) -> Path:
    path.write_text(_PEER.format(header=header, prepare=prepare, act=act, o="const float *observation"))
    return path
