"""The direction of imports, and what must not be imported, printed or asserted at all."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "nas").rglob("*.py"))

HEAVY = {
    "tensorflow",
    "keras",
    "keras_tuner",
    "mlflow",
    "tensorflow_datasets",
    "sklearn",
    "matplotlib",
    "pandas",
    "PIL",
    "ray",
    "jax",
}

CORE = {"architecture", "errors", "objectives", "quantity", "recipe", "registry"}
ALLOWED = {
    # part: the parts of nas that it may import beside itself
    "command_line": set(),
    "errors": set(),
    "quantity": {"errors"},
    "recipe": set(),
    "registry": {"errors"},
    "objectives": {"errors", "quantity", "registry"},
    "files": {"errors", "registry"},
    "tasks": CORE,
    "architecture": {"errors", "objectives", "quantity", "registry"},
    "results": CORE,
    "space": CORE | {"files"},
    "strategies": CORE | {"results", "space"},
    "boards": {"errors", "files", "objectives", "registry"},
    "config": CORE | {"boards", "files", "tasks"},
    "datasets": CORE | {"config", "files", "tasks"},
    "devices": CORE | {"config"},
    "training": CORE | {"config", "datasets", "devices", "files", "tasks"},
    "inheritance": CORE | {"devices", "training"},
    "reports": CORE | {"results", "tasks"},
    "tracking": CORE | {"command_line", "files", "reports", "results", "tasks"},
    "export": CORE | {"devices", "files", "reports", "tasks", "training"},
    "hypermodel": CORE | {"space", "tasks"},
    "benchmark": CORE | {"devices", "files", "results", "space", "strategies", "tasks"},
    "tuning": CORE
    | {
        "benchmark",
        "command_line",
        "config",
        "datasets",
        "devices",
        "export",
        "files",
        "inheritance",
        "reports",
        "results",
        "space",
        "strategies",
        "tasks",
        "tracking",
        "training",
    },
}
"""`api`, `cli` and the package itself may import everything."""

SUBCLASS_KERAS_TUNER = {"nas.tuning.oracle", "nas.tuning.tuner"}
"""Their classes inherit from Keras Tuner's; they are imported inside functions only, which importing the rest shows."""


def part(path: Path) -> str:
    first = path.relative_to(ROOT / "nas").parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Full names of everything that is imported, also inside functions and for type checking."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_part_has_a_place():
    parts = {part(path) for path in FILES} - {"__init__", "__main__", "api", "cli", "_data"}
    assert parts == set(ALLOWED)
    assert len([name for name in parts | {"api"} if (ROOT / "nas" / f"{name}.py").is_file()]) <= 9


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path):
    here = part(path)
    if here in ("__init__", "__main__", "api", "cli"):
        return
    found = {name.split(".")[1] for name in imported(parsed(path)) if name.startswith("nas.")}
    parts = {name for name in found if name in ALLOWED or name in ("api", "cli")}
    assert parts - {here} <= ALLOWED[here]


def test_contributing_has_the_same_table():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    written = {}
    for name, cell in re.findall(r"^\| `nas/(\w+)(?:\.py)?` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE):
        if cell != "all of the above":
            words = set() if cell == "nothing of ours" else set(cell.split(", "))
            written[name] = words - {"*core*"} | (CORE if "*core*" in words else set())
    assert written == ALLOWED
    assert f"*core* is {', '.join(sorted(CORE))}." in text


def test_each_dependency_says_which_file_needs_it():
    """Or what else does; the files that are named exist and import it, or one of a folder does."""
    lines = re.search(r"\ndependencies = \[\n(.*?)\n\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.DOTALL)[1]
    imported_as = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
    for line in lines.splitlines():
        name, comment = re.fullmatch(r' *"([\w-]+)[^"]*", *# (.+)', line).groups()
        module = imported_as.get(name.lower(), name.replace("-", "_"))
        for place in re.findall(r"nas/[\w/.]*\w", comment.partition("import it")[0]):
            files = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
            pattern = rf"^ *(import|from) {module}\b"
            assert any(re.search(pattern, f.read_text("utf-8"), re.MULTILINE) for f in files), (name, place)


def test_the_table_has_no_circles():
    order: list[str] = []
    while len(order) < len(ALLOWED):
        ready = [name for name in ALLOWED if name not in order and ALLOWED[name] <= set(order)]
        assert ready, "these import each other: " + ", ".join(sorted(set(ALLOWED) - set(order)))
        order += ready


def needed(tree: ast.AST) -> set[str]:
    """What is imported to run, also inside functions: not for type checking alone."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            names -= set().union(*map(imported, node.body))
    return names


def test_no_modules_import_each_other():
    known = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    waiting = {
        name: {each if each in known else each.rpartition(".")[0] for each in needed(parsed(path))}
        & known.keys() - {name}
        for name, path in known.items()
    }
    while ready := [name for name, others in waiting.items() if not others & waiting.keys()]:
        for name in ready:
            del waiting[name]
    assert waiting == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_prints_but_the_command_line_and_nobody_asserts(path):
    for node in ast.walk(parsed(path)):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: raise a NasError; python -O removes an assert"
        if part(path) != "cli" and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}: return it, or log it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_annotations_are_not_evaluated(path):
    tree = parsed(path)
    if any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree)):
        assert "__future__.annotations" in imported(tree)


def modules(names: str) -> set[str]:
    """The top-level modules that are loaded after importing some."""
    code = f"import sys, {names}; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_the_command_line_imports_next_to_nothing_before_a_command_runs():
    """Half a second is the limit of `nas --help`: numpy and pydantic alone would take it."""
    code = (
        "import sys, nas.cli.app; "
        "sys.exit(str({'numpy', 'pydantic', 'nas.config', 'nas.architecture'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "", done.stderr


def test_importing_everything_imports_nothing_heavy():
    files = [path.relative_to(ROOT).with_suffix("") for path in FILES if path.name != "__main__.py"]
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert names > SUBCLASS_KERAS_TUNER
    assert modules(", ".join(sorted(names - SUBCLASS_KERAS_TUNER))) & HEAVY == set()


def test_the_pure_core_needs_nothing_but_yaml():
    loaded = modules("nas.architecture, nas.space, nas.results.pareto")
    assert "nas" in loaded
    assert loaded & (HEAVY | {"numpy", "scipy", "rich", "typer"}) == set()
