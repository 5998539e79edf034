"""Who imports whom: the arrows of the README's picture, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "edgerl"
ALLOWED = {
    "util": {"util"},
    "envs": {"envs", "util"},
    "simulator": {"simulator", "envs", "util"},
    "rl": {"rl", "simulator", "envs", "util"},
    "deploy": {"deploy", "envs", "util"},
    "tasks": {"tasks", "deploy", "rl", "simulator", "envs", "util"},
}
TASKS = tuple(p.name for p in sorted((PACKAGE / "tasks").iterdir()) if (p / "env.py").is_file())
# Slow to import, or not installed with the package itself: only inside the function that uses them.
LAZY = {
    "tensorflow",
    "tensorflow_datasets",
    "matplotlib",
    "distrax",
    "tflite_micro",
    "gymnasium",
    "gymnax",
    "onnx",
    "PIL",
}

# Their classes are Gymnasium's; only `to_gymnasium` imports them, when it is called.
IMPORTED_LATE = {f"envs/adapters/gymnasium_{name}.py" for name in ("envs", "copies", "spaces")}


def _modules():
    return sorted(PACKAGE.rglob("*.py"))


def _imports(tree, inside_functions):
    """(name, line) of each module imported; those inside functions too, if asked."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.inside = getattr(node, "inside", False) or isinstance(node, ast.FunctionDef)
    for node in ast.walk(tree):
        if getattr(node, "inside", False) and not inside_functions:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == "edgerl":
                yield from ((f"edgerl.{alias.name}", node.lineno) for alias in node.names)


def _under_type_checking(tree):
    """Lines of `if TYPE_CHECKING:` blocks, which never run."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_it_may(layer):
    wrong = []
    for path in (PACKAGE / layer).rglob("*.py"):
        for name, line in _imports(ast.parse(path.read_text()), inside_functions=True):
            parts = name.split(".")
            is_layer = len(parts) > 1 and parts[0] == "edgerl" and (PACKAGE / parts[1]).is_dir()
            if is_layer and parts[1] not in ALLOWED[layer]:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


def test_tasks_do_not_import_each_other():
    """Nor does anything that tasks share know one of them by name."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = [*path.relative_to(PACKAGE).parts, ""][1]
        for name, line in _imports(ast.parse(path.read_text()), inside_functions=True):
            parts = name.split(".")
            if parts[:2] == ["edgerl", "tasks"] and parts[2:3] and parts[2] in TASKS and parts[2] != own:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


def _house_imports(path):
    """Modules of the house that a file imports anywhere, but for those that only a type checker reads."""
    tree = ast.parse(path.read_text())
    never, known = _under_type_checking(tree), _names()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.lineno not in never:
            for alias in node.names:
                name = next((n for n in (f"{node.module}.{alias.name}", node.module) if n in known), None)
                if name and name != "edgerl":
                    yield name


def _names():
    return {
        ".".join(("edgerl", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for p in _modules()
    }


def test_there_is_no_circle():
    """Imports inside of functions count, too: they hide a circle, they do not break it."""
    arrows = {
        ".".join(("edgerl", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): {
            *_house_imports(path)
        }
        for path in _modules()
    }
    left = dict(arrows)
    while free := [name for name, targets in left.items() if not (targets - {name}) & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_slow_packages_are_imported_where_they_are_used():
    wrong = []
    for path in _modules():
        tree = ast.parse(path.read_text())
        never = _under_type_checking(tree)
        for name, line in _imports(tree, inside_functions=False):
            late = path.relative_to(PACKAGE).as_posix() in IMPORTED_LATE
            if name.split(".")[0] in LAZY and line not in never and not late:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name} at the top")
    assert not wrong


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import edgerl, edgerl.cli", {"jax", "numpy", "tensorflow", "matplotlib"}),
        ("import edgerl; edgerl.simulate; import edgerl.rl, edgerl.deploy", {"tensorflow", "matplotlib"}),
    ],
)
def test_importing_is_cheap(statement, absent):
    code = f"import sys; {statement}; print(' '.join(sorted({absent!r} & set(sys.modules))))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_only_one_file_imports_tensorflow():
    users = {
        str(path.relative_to(PACKAGE))
        for path in _modules()
        for name, _ in _imports(ast.parse(path.read_text()), inside_functions=True)
        if name.split(".")[0] == "tensorflow"
    }
    assert users <= {"deploy/converter.py"}
