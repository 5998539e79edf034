"""C text that the generators share: templates, arrays, and what a dense layer is made of."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from string import Template
from typing import Any

import numpy as np


def template(name: str, values: Mapping[str, Any], package: str = "edgerl.deploy") -> str:
    """A template of a package, filled in; `symbols`, if it asks for them, are those of the functions it declares."""
    text = (resources.files(package) / "templates" / name).read_text()
    made = Template(text).safe_substitute(values)
    return (
        Template(made).substitute(symbols=symbols(made, values["p"], values["stamp"])) if "$symbols" in made else made
    )


def symbols(header: str, prefix: str, stamp: str) -> str:
    """Macros that give each function that a header declares a symbol with a stamp."""
    declared = re.findall(rf"^[a-z][\w ]*[ *]({prefix}_\w+)\(", header, re.MULTILINE)
    return "\n".join(f"#define {function} {function}_{stamp}" for function in declared)


def declarations(table_type: str | None) -> str:
    """Macros, `struct scaling` and `struct layer`, which `c_kernels` expects; with a table's type if there are any."""
    return template("dense.c.in", {"table_field": f"    const ROM {table_type} *table;\n" if table_type else ""})


def dense(index: int, weights: np.ndarray, bias: np.ndarray, width: int) -> Iterator[str]:
    """`weights_INDEX` and `bias_INDEX` of weights int8 [in, out], in the order of a kernel with blocks of `width`.

    Spare outputs of the last block are zeros.
    """
    spare = -len(bias) % width
    bias = np.pad(bias, (0, spare))
    blocks = np.pad(weights, ((0, 0), (0, spare))).reshape(len(weights), -1, width).swapaxes(0, 1)
    yield array(f"ROM int8_t weights_{index}[{blocks.size}] WEIGHTS", blocks)
    yield array(f"ROM int32_t bias_{index}[{bias.size}] ALIGNED", bias)


def scalings(index: int, multipliers: Any, shifts: Any, spare: int = 0) -> str:
    """`struct scaling`, one for the layer or one for each output; see `scaled` in the template."""
    pairs = zip(np.asarray(multipliers).tolist(), np.asarray(shifts).tolist(), strict=True)
    rows = [scaling(*pair) for pair in [*pairs, *[(0, 0)] * spare]]
    return f"static const ROM struct scaling scaling_{index}[{len(rows)}] = {{\n    " + ",\n    ".join(rows) + ",\n};"


def scaling(multiplier: int, shift: int) -> str:
    """One `struct scaling`; see the template."""
    # Below 2^-30 nothing is left of an accumulator under 2^29, and the shift would leave the word.
    multiplier, shift = (0, 0) if shift <= -30 else (multiplier, shift)
    right, left = max(-shift, 0), 2 + max(shift, 0)
    rounding, negative = (1, 0) if right == 0 else (1 + 2**right, -2)
    return f"{{{multiplier}, {rounding}, {left}, {negative}, {right + 1}}}"


def floats(values: Any) -> np.ndarray:
    """C literals that read back as the same float32."""
    literal = np.vectorize(lambda v: np.format_float_scientific(np.float32(v), trim="0") + "f", otypes=[object])
    return literal(np.asarray(values, np.float32))


def array(declaration: str, values: Any, row: int = 16) -> str:
    """`static const` array with `row` values a line; rows of a two-dimensional array are braced."""
    values = np.asarray(values)
    if values.ndim == 2 and "][" in declaration:
        lines = ["    {" + ", ".join(map(str, line)) + "}," for line in values.tolist()]
    else:
        flat = values.reshape(-1).tolist()
        lines = [f"    {', '.join(map(str, flat[i : i + row]))}," for i in range(0, len(flat), row)]
    return f"static const {declaration} = {{\n" + "\n".join(lines) + "\n};"


def struct(kind: str, index: int, fields: Iterable[Any], rom: str = "") -> str:
    """The definition of `static const struct KIND KIND_INDEX`; `rom` is "ROM " for one that is read through it."""
    return f"static const {rom}struct {kind} {kind}_{index} = {braced(fields)};"


def braced(fields: Iterable[Any]) -> str:
    """An initialiser."""
    return "{" + ", ".join(map(str, fields)) + "}"
