"""What Tab offers for values, asked for as each shell asks."""

import os
import subprocess
import sys

import pytest

BASH, ZSH, FISH = "bash", "zsh", "fish"


def ask(line: str, folder, shell: str = BASH, **environment: str) -> str:
    """What ``lslo`` answers to a shell that completes the last word of ``line``."""
    words = line.split(" ")
    asked = {
        BASH: {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        ZSH: {"_TYPER_COMPLETE_ARGS": line},
        FISH: {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    code = "import sys; sys.argv[0] = 'lslo'; from lslo_cli.cli.app import app; app(prog_name='lslo')"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        env={**os.environ, "_LSLO_COMPLETE": f"complete_{shell}", **asked, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = {part.rpartition("|")[2].strip() for part in done.stderr.splitlines()}
    assert not loaded & {"torch", "transformers", "matplotlib", "pandas", "scipy"}
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two experiments, of which one has seeds, and a recipe."""
    folder = tmp_path_factory.mktemp("place")
    for run in ("demo/runs/full", "demo/runs/2-2-8", "study/seed-1/runs/8-8-8", "study/seed-2/runs/8-8-8"):
        (folder / "out" / run).mkdir(parents=True)
    (folder / "mine.toml").touch()
    return folder


# One call of Python takes most of a second, so every shell answers a few lines, and the rest is asked within.


def test_bash_completes_the_last_of_several_codes(place):
    assert ask("lslo train --langs en,wor", place).split() == ["en,world12"]


def test_zsh_completes_recipes(place):
    assert ask("lslo train --recipe de", place, ZSH) == "_arguments '*: :((\"demo\"))'\n"


def test_fish_completes_runs(place):
    assert ask("lslo evaluate --name demo --run ", place, FISH).split() == ["base", "2-2-8", "full"]


def test_where_only_files_fit_the_shell_is_left_to_it(place):
    assert ask("lslo show ou", place, ZSH) == "_files\n"


@pytest.fixture
def offered(place, monkeypatch):
    """What is offered for a line, within this process."""
    from typer._completion_classes import completion_init
    from typer.main import get_command

    from lslo_cli.cli.app import app

    completion_init()
    monkeypatch.chdir(place)
    command = get_command(app)

    def offered(line: str) -> list[str]:
        from typer._completion_classes import BashComplete

        *words, incomplete = line.split(" ")[1:]
        found = BashComplete(command, {}, "lslo", "_LSLO_COMPLETE").get_completions(words, incomplete)
        return [item.value for item in found]

    return offered


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("lslo train --recipe mi", ["mine.toml"]),
        (
            "lslo recipe world-r",
            ["world-related", "world-related-base", "world-rotated", "world-rotated-base"],
        ),
        ("lslo runs --results x --sort ", []),
        ("lslo train --name s", ["study"]),
        ("lslo plot hea", ["heatmap", "heatmap-by-layer"]),
        ("lslo plot epochs --run 8", ["8-8-8"]),
        ("lslo plot epochs --style ", ["paper", "screen", "dark"]),
        ("lslo compare 2", ["2-2-8"]),
        ("lslo compare full b", ["base"]),
        ("lslo diff full 2", ["2-2-8"]),
        ("lslo translate --name study --run ", ["base", "8-8-8"]),
        ("lslo translate --src qk", ["qki", "qka"]),
        ("lslo translate --tgt qta,qk", ["qta,qki", "qta,qka"]),
        ("lslo train --method ", ["lslo", "full", "lora"]),
        ("lslo train --track ", ["tensorboard", "wandb", "mlflow"]),
        ("lslo train --gps ", ["auto"]),
        ("lslo train --index l", ["learned"]),
        ("lslo train --set fit.ep", ["fit.epochs="]),
        ("lslo estimate-subspace --pool ", ["layer", "layer-kind", "language"]),
        ("lslo evaluate --metrics spBLEU,T", ["spBLEU,TER"]),
        ("lslo flare train --runs flare-", ["flare-shuffled", "flare-mt"]),
        ("lslo flare train --device ", ["auto", "cpu", "cuda"]),
        ("lslo reproduce tab", [f"table-{number}" for number in (1, 10, 2, 3, 4, 7, 8, 9)] + ["tables"]),
        ("lslo reproduce table-1 --only matri", ["matrices", "matrices-by-language"]),
        ("lslo export --format ", ["merged", "peft", "ct2"]),
        ("lslo base info m2m-100-", ["m2m-100-418m", "m2m-100-1.2b"]),
        ("lslo train --lr ", []),
    ],
)
def test_a_value_is_completed(offered, line, values):
    found = offered(line)
    assert sorted(set(found)) == sorted(values)


def test_experiments_are_those_of_the_folder_that_is_meant(offered, place, monkeypatch):
    other = place / "other" / "one"
    other.mkdir(parents=True, exist_ok=True)
    assert offered("lslo train --results other --name ") == ["one"]
    monkeypatch.setenv("LSLO_RESULTS", str(place / "other"))
    assert offered("lslo train --name ") == ["one"]


def test_nothing_is_offered_where_nothing_is_there(offered):
    assert offered("lslo train --results nowhere --name ") == []
    assert offered("lslo evaluate --results nowhere --run ") == ["base"]
