"""Cycles of one image through the early-exit network on a simulated core, part by part, and through TFLM's kernels.

    python benchmarks/cascade.py --data FOLDER_OF_CIFAR_100 [--core "Ibex maximum performance"] [--most-macs 2000000]

The generated C runs every stage and head on the first test image; outputs must be those of the arithmetic in JAX. TFLM
(see deploy_peers.py) runs the same parts' `.tflite`. Since its kernels take minutes of simulation, parts of more than
`--most-macs` multiply-accumulates are extrapolated, by the cycles that the largest simulated part takes for each, and
marked so.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import deploy_peers
import numpy as np
import on_cores
import report
from on_cores import BOARDS
from peers import PeerAbsentError
from report import Numbers

from edgerl.deploy import graph_c, names, tflite_file, toolchain
from edgerl.deploy.cores import CORES, Core
from edgerl.deploy.graph import Graph
from edgerl.deploy.toolchain import ToolError
from edgerl.tasks.early_exit.export.cascade import weights_of
from edgerl.tasks.early_exit.trunk import int8 as trunk_int8
from edgerl.tasks.early_exit.trunk import weights
from edgerl.tasks.early_exit.trunk.data import FIT, TEST, load_images
from edgerl.tasks.early_exit.trunk.int8 import Int8Trunk
from edgerl.util.errors import UserError

CALIBRATION = 1000  # images, as of an export
SECONDS = 7200.0  # that one simulation may take
ARENA = 262144  # bytes, more than TFLM needs


def part_names(trunk: Int8Trunk) -> list[str]:
    """stage 0, head 0, stage 1, …"""
    return [f"{kind} {i}" for i in range(len(trunk.ends) // 2) for kind in ("stage", "head")]


def ours(trunk: Int8Trunk, image: np.ndarray, core: Core) -> tuple[list[int], Numbers]:
    """(cycles of each part of the generated C, bytes) for one image int8 [S, S, 3].

    Raises:
      ToolError: it does not compile, or its outputs are not those of JAX.
    """
    outputs = _outputs(trunk, image)
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        texts = graph_c.generate(trunk.network, trunk.ends, part_names(trunk), names.words("policy", "0"))
        for name, text in texts.items():
            (out / name).write_text(text)
        (out / "peer.c").write_text(
            f'#include "policy_network.h"\n{_array("input", image)}\nint network_prepare(void);\n'
            "const int8_t *network_run(int part);\n"
            "int network_prepare(void)\n{\n    int8_t *to = policy_network_input();\n    unsigned i;\n"
            "    for (i = 0; i < sizeof input; i++) to[i] = input[i];\n    return 0;\n}\n"
            "const int8_t *network_run(int part)\n{\n    return policy_network_run(part);\n}\n"
        )
        return _run(core, [out / "policy_network.c", out / "peer.c"], out, outputs)


def tflm(part: Graph, source: np.ndarray, output: np.ndarray, core: Core) -> tuple[int, Numbers]:
    """(cycles, bytes) of one part in TFLM's interpreter, given what it reads and what it should answer, int8.

    Raises:
      PeerAbsentError, UserError: TFLM or a tool is missing.
      ToolError: it does not compile, or its output is not that of JAX.
    """
    calls = " && ".join(f"r.{name}() == kTfLiteOk" for name in dict.fromkeys(o.RESOLVER for o in part.operations))
    model = np.frombuffer(tflite_file.write(part), np.uint8)
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        (out / "model.h").write_text(
            f"#include <stdint.h>\n#define ARENA {ARENA}\n#define REGISTER(r) ({calls})\n"
            f"alignas(16) {_array('model', model)}\n{_array('input', source)}\n"
        )
        linked = deploy_peers.tflm_linked([BOARDS / "tflm_part.cc"], [out], out)
        cycles, sizes = _run(core, list(linked), out, [output])
        return cycles[0], sizes


def _outputs(trunk: Int8Trunk, image: np.ndarray) -> list[np.ndarray]:
    """What JAX has for every part."""
    x, outputs = image[None], []
    for stage, head in zip(trunk.parts[0::2], trunk.parts[1::2], strict=True):
        x = np.asarray(stage.program()(x))
        outputs += [x, np.asarray(head.program()(x))]
    return outputs


def _run(core: Core, sources: list[str | Path], out: Path, outputs: list[np.ndarray]) -> tuple[list[int], Numbers]:
    sizes = ", ".join(str(output.size) for output in outputs)
    (out / "parts.h").write_text(f"#include <stdint.h>\nstatic const int32_t outputs[] = {{{sizes}}};\n")
    flags = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
    printed = core.run([BOARDS / "network.c", *sources], [out], out, *flags, seconds=SECONDS)
    lines = [tuple(map(int, line.split())) for line in printed.splitlines()]
    if [hashed for _, hashed in lines] != [fnv(output) for output in outputs]:
        raise ToolError(f"outputs on {core.name} are not those of JAX")
    return [cycles for cycles, _ in lines], on_cores.linked_sizes(out / "board.elf")


def fnv(values: np.ndarray) -> int:
    """The 32-bit FNV-1a hash of int8 values."""
    hashed = 2166136261
    for byte in values.tobytes():
        hashed = ((hashed ^ byte) * 16777619) & 0xFFFFFFFF
    return hashed


def _array(name: str, values: np.ndarray) -> str:
    kind = {"i": "int8_t", "u": "uint8_t"}[values.dtype.kind]
    return f"static const {kind} {name}[{values.size}] = {{{', '.join(map(str, values.ravel().tolist()))}}};"


def measure(trunk: Int8Trunk, image: np.ndarray, core: Core, most_macs: int) -> Numbers:
    """Every part's multiply-accumulates and cycles, here and in TFLM; bytes of the programs."""
    report.log(f"{core.name}: the generated C")
    cycles, sizes = ours(trunk, image, core)
    parts = [
        {"part": name, "macs": part.macs(), "cycles": count}
        for name, part, count in zip(part_names(trunk), trunk.parts, cycles, strict=True)
    ]
    found: Numbers = {"core": core.name, "parts": parts, "bytes": sizes}
    outputs, stages = _outputs(trunk, image), [image[None], *_outputs(trunk, image)[0::2]]
    per_mac, largest = 0.0, 0
    try:
        for i, part in enumerate(trunk.parts):
            if part.macs() <= most_macs:
                report.log(f"{core.name}: TFLM, {parts[i]['part']}")
                parts[i]["tflm_cycles"], parts[i]["tflm_bytes"] = tflm(part, stages[(i + 1) // 2], outputs[i], core)
                if part.macs() > largest:
                    per_mac, largest = parts[i]["tflm_cycles"] / part.macs(), part.macs()
    except (PeerAbsentError, UserError, ToolError) as error:
        return found | {"tflm": str(error)}
    for part in parts:
        if "tflm_cycles" not in part and largest:
            part |= {"tflm_cycles": round(per_mac * part["macs"]), "tflm_extrapolated": True}
    return found


def rows(found: Numbers) -> list[list[str]]:
    """The table's rows."""
    return [
        [
            part["part"],
            f"{part['macs']:,}",
            f"{part['cycles']:,}",
            f"{part['tflm_cycles']:,}{' (extrapolated)' if 'tflm_extrapolated' in part else ''}"
            if "tflm_cycles" in part
            else "",
        ]
        for part in [*found["parts"], _total(found["parts"])]
    ]


def _total(parts: list[Numbers]) -> Numbers:
    whole: Numbers = {"part": "all", **{key: sum(part[key] for part in parts) for key in ("macs", "cycles")}}
    if all("tflm_cycles" in part for part in parts):
        whole["tflm_cycles"] = sum(part["tflm_cycles"] for part in parts)
        whole |= {"tflm_extrapolated": True} if any("tflm_extrapolated" in part for part in parts) else {}
    return whole


def main() -> int:
    """Prints a table, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="CIFAR's binary files; default: tensorflow-datasets")
    parser.add_argument(
        "--table", metavar="FILE", help="of `edgerl logits build`, for its network; default: the shipped one"
    )
    parser.add_argument("--core", default=CORES[1].name, choices=[core.name for core in CORES])
    parser.add_argument("--most-macs", type=int, default=2_000_000, metavar="N", help="larger parts: extrapolated")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args()
    core = next(core for core in CORES if core.name == options.core)
    try:
        config, variables = weights.load_weights(weights_of(options.table))
        dataset = load_images(config.dataset, options.data)
        trunk = trunk_int8.quantise(config, variables, dataset.part(FIT)[0][:CALIBRATION])
        image = trunk.inputs(dataset.part(TEST)[0][:1])[0]
        found = {"date": report.date(), "machine": report.machine(), **measure(trunk, image, core, options.most_macs)}
    except (UserError, toolchain.ToolError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found) if options.json else report.table(rows(found), ("part", "MACs", "cycles", "TFLM's cycles")))
    if not options.json:
        flash, ram = (found["bytes"][name] for name in ("flash_bytes", "ram_bytes"))
        print(f"{found['core']}: flash {flash:,} bytes, static RAM {ram:,} bytes")
        print(found.get("tflm", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
