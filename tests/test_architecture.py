"""The plan of the rooms, held by the imports: who may see whom, and who owns which library."""

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lslo_cli
from lslo_cli.parsing import parse_toml

PACKAGE = Path(lslo_cli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# A room sees the floors below its own, and no neighbour on its floor.
FLOORS = [
    {"wording"},
    {"errors", "events", "home", "parsing", "processes"},
    {"method", "paper"},
    {"world", "artifacts", "architectures"},
    {"recipe", "plots", "nn"},
    {"data", "report"},
    {"models"},
    {"training"},
    {"search"},
    {"tasks"},
    {"flare"},
    {"reproduce"},
    {"api"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NARROWER = {  # rooms that see less than all floors below
    "plots": {"errors", "wording", "method", "artifacts"},
    "report": {"errors", "wording", "method", "artifacts", "paper", "plots"},
}

OWNERS = {
    "typer": {"cli"},
    "rich": {"cli"},
    "click": {"cli"},
    "seaborn": {"plots", "report", "flare"},
    "matplotlib": {"plots", "report", "flare"},
    "pandas": {"plots", "report", "flare"},
    "transformers": {"architectures", "models", "search", "flare"},
    "sentencepiece": {"models"},
    "tokenizers": {"models"},
    "sacrebleu": {"search"},
    "scipy": {"method", "plots"},
    "pydantic": {"recipe", "artifacts", "flare"},
    "tomllib": {"parsing"},
    "accelerate": {"training", "tasks", "flare"},
    "triton": {"nn"},
    "bitsandbytes": {"nn"},
    "peft": {"tasks"},
    "ctranslate2": {"tasks"},
    "torch": {"architectures", "nn", "models", "training", "search", "tasks", "flare"},
    "safetensors": {"nn", "models", "tasks", "flare"},
    "numpy": {"method", "nn", "data", "models", "training", "search", "tasks", "flare", "plots", "report"},
}
HEAVY = ["torch", "transformers", "pandas", "scipy", "seaborn", "matplotlib", "sacrebleu", "pydantic"]

every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    """A module as it is parsed. Not to be changed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(path: Path, for_types: bool = True) -> Iterator[str]:
    """The dotted names of the modules that a module imports, at its top or inside functions."""
    statements = [node for node in tree_of(path).body if for_types or not is_for_types(node)]
    for node in (inner for statement in statements for inner in ast.walk(statement)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            if node.module == "lslo_cli":
                yield from (f"lslo_cli.{alias.name}" for alias in node.names)
            else:
                yield node.module


@every_module
def test_a_module_sees_only_the_rooms_below_its_own(path):
    room = room_of(path)
    if room == "__init__":  # the door of the package, which loads nothing before it is asked
        assert set(imports(path)) <= {"typing", "lslo_cli.api"}
        return
    below = {other for other in FLOOR if FLOOR[other] < FLOOR[room]}
    seen = {name.split(".")[1] for name in imports(path) if name.startswith("lslo_cli.")}
    assert seen - {room, "__version__"} <= NARROWER.get(room, below)


@every_module
def test_a_module_imports_only_libraries_that_its_room_owns(path):
    libraries = {name.partition(".")[0] for name in imports(path, for_types=False)}
    unwatched = {"lslo_cli", *sys.stdlib_module_names} - set(OWNERS)
    owned = {library for library, rooms in OWNERS.items() if room_of(path) in rooms}
    assert libraries - unwatched <= owned


@every_module
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path))


def test_every_class_has_a_name_of_its_own():
    names = [
        node.name for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)
    ]
    assert [name for name, times in Counter(names).items() if times > 1] == []


@every_module
def test_a_module_is_short_enough_to_be_read_at_once(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_the_types_of_every_module_are_checked():
    mypy = parse_toml((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert mypy["packages"] == ["lslo_cli"]
    assert not {"overrides", "exclude", "ignore_errors"} & mypy.keys()


def test_importing_the_command_line_loads_nothing_heavy():
    code = f"import sys, lslo_cli.cli.app; print(sorted(set({HEAVY}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_importing_the_package_loads_none_of_it():
    code = "import sys, lslo_cli; print([name for name in sys.modules if name.startswith('lslo_cli.')])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "room", ["errors", "events", "parsing", "wording", "method", "paper", "artifacts", "recipe", "world"]
)
def test_the_lower_rooms_load_no_torch(room):
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in MODULES
        if room_of(path) == room
    ]
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


def test_one_function_alone_expands_a_tilde_since_pathlib_raises_for_an_unknown_user():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr == "expanduser"
        and ast.unparse(node) != "os.path.expanduser"
    }
    assert found == set()


def test_one_function_alone_calls_from_pretrained_and_never_runs_python_of_a_model():
    found = [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "from_pretrained"
    ]
    assert [name for name, _ in found] == ["models/pretrained.py"]
    calls = [
        node for node in ast.walk(tree_of(PACKAGE / "models/pretrained.py")) if isinstance(node, ast.Call)
    ]
    (call,) = [node for node in calls if node.func is found[0][1]]
    assert "trust_remote_code=False" in ast.unparse(call)


def test_the_way_from_the_command_line_to_the_loss_is_short(tmp_path):
    code = """
import os, sys, traceback
from lslo_cli.nn.loss import TranslationLoss

def loss(*arguments):
    files = [frame.filename for frame in traceback.extract_stack() if "/lslo_cli/" in frame.filename]
    print(len(files) + 1, len({*files, "loss"}), flush=True)  # this function stands for one in nn/loss.py
    os._exit(0)

TranslationLoss.forward = loss
sys.argv = ["lslo", "train", "--recipe", "demo", "--set", "data.train_rows=2", "--index", "paper"]
sys.argv += ["--set", "train.curve_rows=0"]  # or all directions would be translated first
from lslo_cli.cli.app import app
app()
"""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    frames, files = map(int, run.stdout.split())
    assert frames <= 8
    assert files <= 6
