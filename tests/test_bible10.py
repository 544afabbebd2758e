"""The study of ten real languages: lines parse, rates and text are chosen as it says, tables add up."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import pytest
from typer.main import get_command

from lslo_cli.artifacts.results import EpochRecord, SubspaceResult
from lslo_cli.cli.app import app
from lslo_cli.method.languages import Resource
from lslo_cli.recipe import resolve

SCRIPTS = Path(__file__).parent.parent / "results" / "bible10"


@pytest.fixture
def study(load_script, monkeypatch, tmp_path):
    """The script that runs it, in an empty folder."""
    module = load_script(SCRIPTS / "study.py")
    monkeypatch.chdir(tmp_path)
    return module


def parse(top, line):
    """Parse the words of a command below ``lslo``, without running it."""
    command, context = top, top.make_context("lslo", shlex.split(line))
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context)


def dry_run(study, capsys, *flags):
    study.main(["--dry-run", *flags])
    return capsys.readouterr()


def test_its_recipes_differ_in_sizes_that_are_permuted_or_in_the_text_and_in_nothing_else(study):
    straight, rotated, more = (resolve(part.recipe) for part in study.PARTS.values())
    sizes = [sorted(each.bitext for each in recipe.selected_languages()) for recipe in (straight, rotated)]
    assert sizes[0] == sizes[1] == [300] * 4 + [5000] * 3 + [27000] * 3
    for recipe in (straight, rotated):
        base = resolve(f"{recipe.name}-base")
        assert base.selected_languages() == recipe.selected_languages()
        assert base.base.cut_to_bitext and not base.data.dev_rows
        classes = {each.resource: each.bitext for each in recipe.selected_languages()}
        assert classes == {Resource.HIGH: 27000, Resource.MEDIUM: 5000, Resource.VERY_LOW: 300}
    assert resolve("bible10-base").base == resolve("bible10-rotated-base").base
    assert straight.fit == rotated.fit and straight.data == rotated.data
    assert more.selected_languages() == straight.selected_languages() and more.model == straight.model
    assert more.fit.model_copy(update={"epochs": straight.fit.epochs}) == straight.fit
    longer = {"path": straight.data.path, "train_rows": straight.data.train_rows}
    assert more.data.model_copy(update=longer) == straight.data
    assert str(more.data.path) == str(study.MORE) and str(straight.data.path) == str(study.SPREAD)
    assert straight.estimation_schedule().ratio_at(straight.fit.epochs) == pytest.approx(0.7)


def test_what_it_takes_for_equal_is_equal(study):
    for recipe, verses in (("bible10", "dev"), ("bible10-more", "more")):
        data, pairs = resolve(recipe).data, len(resolve(recipe).selected_languages()) // 2
        assert data.train_rows == pairs * study.VERSES[verses]
        assert data.test_rows == study.VERSES[data.test]
    ranks = {Resource.HIGH: 2, Resource.MEDIUM: 2, Resource.VERY_LOW: 8}
    for part in study.PARTS.values():
        in_all = sum(ranks[each.resource] for each in resolve(part.recipe).selected_languages())
        assert in_all == study.SHARED_RANK
    rates = study.STRAIGHT.rates
    assert all(len(tried) >= 5 for tried in rates.values())
    assert all(study.PUBLISHED[method] in rates[method] for method in study.PUBLISHED)
    assert not study.ROTATED.rates and not study.WITH_MORE.rates  # those of the straight part are kept


def test_a_dry_run_prints_lines_that_parse_with_their_hours_and_writes_nothing(study, capsys, tmp_path):
    said = dry_run(study, capsys)
    lines = said.out.splitlines()
    top = get_command(app)
    for line in lines:
        parse(top, line.removeprefix("lslo "))
    assert len(lines) == len(set(lines)) == int(said.err.split()[0])
    trained = [line for line in lines if line.startswith("lslo train ")]
    tuned = sum(len(rates) for part in study.PARTS.values() for rates in part.rates.values())
    assert len(trained) == tuned + 3 * (len(study.RUNS) + len(study.CONTROL) + len(study.WORTH))
    assert sum("lslo base train" in line for line in lines) == 2
    assert not list(tmp_path.iterdir())


def test_what_is_done_is_not_done_again_and_parts_can_be_chosen(study, capsys):
    for path in ("models/bible10", "results/bible10/straight/seed-2/runs/full"):
        Path(path).mkdir(parents=True)
        Path(path, "training.json").touch()
    flags = "--parts", "straight", "--seeds", "2", "--only", "full"
    lines = dry_run(study, capsys, *flags).out.splitlines()
    assert not any("base train" in line or "--run full " in line for line in lines if "evaluate" not in line)
    assert any("evaluate" in line and line.endswith("--run full") for line in lines)
    assert not any("rotated" in line or "lora" in line for line in lines)


def test_a_rate_is_that_of_the_lowest_loss_on_dev_rows(study, capsys):
    for rate, loss in zip(study.STRAIGHT.rates["full"], (1.5, 1.2, 1.1, 1.0, 1.4), strict=True):
        made = study.STRAIGHT.tuned("full", rate)
        made.parent.mkdir(parents=True)
        made.write_text(json.dumps({"result": {"dev_losses": [0.5, loss]}}))
    lines = dry_run(study, capsys, "--parts", "straight", "--only", "full").out.splitlines()
    trained = [line for line in lines if "--run full " in line]
    assert len(trained) == 3 and all("--lr 0.0003 " in line for line in trained)
    scored = [line.split()[-1] for line in lines if "tuning" in line and "evaluate" in line]
    assert scored == ["full-lr0.0001", "full-lr0.0003", "lslo-lr0.003", "lslo-lr0.002"]


def test_the_verses_taken_are_from_the_whole_text_and_none_that_is_tested_on_is_known(study, monkeypatch):
    monkeypatch.setattr(study, "VERSES", {"dev": 16, "devtest": 5, "more": 3})
    codes = ("en", "fr", "ha", "wo")
    for code in codes:
        for folder, rows in {"all": 4, "ft/dev": 20, "ft/devtest": 22}.items():
            lines = [f"{code} {folder} {row}" for row in range(rows)]
            if folder == "ft/devtest" and code in ("en", "wo"):
                lines[2 if code == "en" else 9] = f"{code} {'all' if code == 'en' else 'ft/dev'} 3"
            path = study.TEXT / folder / f"{code}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    study.spread_text()
    dev, test = (study.read(study.SPREAD / split) for split in ("dev", "devtest"))
    rows = [{code: lines[row] for code, lines in dev.items() if lines[row]} for row in range(16 * 2 + 4)]
    assert [len(row) for row in rows] == [2] * 32 + [4] * 4
    for one, other in zip(rows[:32:2], rows[1:32:2], strict=True):  # a verse: all languages, each once
        assert {*one, *other} == {*codes} and not {*one} & {*other}
        assert len({line[2:] for line in (*one.values(), *other.values())}) == 1
    numbers = [int(next(iter(row.values())).split()[-1]) for row in rows]
    assert numbers == [*(row // 2 * 20 // 16 for row in range(32)), 4, 9, 14, 19]
    kept = [row for row in range(22) if row not in (2, 9)]
    assert [int(line.split()[-1]) for line in test["en"][:5]] == kept[::4]
    assert [line[2:] for line in test["en"]] == [line[2:] for line in test["wo"]]
    assert len(test["wo"]) == 20
    more = study.read(study.MORE / "dev")
    assert study.read(study.MORE / "devtest") == test
    assert {line for line in more["en"][:6] if line} == {"en all 0", "en all 1", "en all 2"}
    assert more["en"][6:] == dev["en"][32:]


def test_every_direction_is_trained_on_by_about_as_many_rows(study):
    codes = [each.code for each in resolve("bible10").selected_languages()]
    verses = study.VERSES["dev"]
    text = study.in_pairs({code: ["x"] * verses for code in codes}, verses)
    assert {len(lines) for lines in text.values()} == {verses * 5}
    shared = [
        sum(1 for pair in zip(text[one], text[other], strict=True) if all(pair))
        for one, other in permutations(codes, 2)
    ]
    assert sum(shared) == 10 * verses and min(shared) > 20 and max(shared) < 60


def test_a_command_that_fails_ends_the_study_and_so_does_missing_text(study, monkeypatch):
    with pytest.raises(SystemExit, match="no text at data/bible10"):
        study.main([])
    for folder in ("all", "ft/dev", "ft/devtest"):
        (study.TEXT / folder).mkdir(parents=True)
        for code in ("en", "fr", "ha", "wo"):
            (study.TEXT / folder / f"{code}.txt").write_text("a\n" if folder == "ft/devtest" else "b\n")

    def fail(program, **settings):
        raise subprocess.CalledProcessError(3, program)

    monkeypatch.setattr(study.subprocess, "run", fail)
    with pytest.raises(subprocess.CalledProcessError):
        study.main(["--jobs", "2"])


@pytest.fixture
def made(study, written):
    """What two seeds with both bases leave: more room for whom the base has read less of."""
    sizes = dict(zip(("en", "fr", "es", "wo", "ln", "ns"), (1000, 1000, 100, 100, 10, 10), strict=True))
    ranks = {1000: 1, 100: 5, 10: 9}
    for base, order in (("straight", 1), ("rotated", -1)):
        bitext = dict(zip(list(sizes)[::order], sizes.values(), strict=True))
        for seed in (2, 3):
            there = written(study.RESULTS / base / f"seed-{seed}", seed, languages=("en",))
            there.languages = [
                replace(there.languages[0], code=code, bitext=size, resource=Resource.LOW)
                for code, size in bitext.items()
            ]
            for run, score in (("base", 5.0), ("full", 6.0), ("auto-mixture", 7.0 + seed / 10)):
                there.evaluation(run, {"L2L": score})
            for run in ("full", "auto-mixture"):
                by_size = {code: ranks[size] for code, size in bitext.items() if run == "auto-mixture"}
                there.training(run, ranks=by_size)
            estimate = SubspaceResult(
                pool="layer", rank=8, target_ratio=0.7, pruned={"rows": []}, mean_rank=4, ranks={},
                scores={code: float(size) for code, size in bitext.items()},
                history=[EpochRecord(epoch=1, loss=1.0, updates=1, tokens=1)],
            )  # fmt: skip
            there.write("subspace.json", estimate)
    tuning = written(study.STRAIGHT.tuning / f"seed-{study.TUNING_SEED}", study.TUNING_SEED)
    for rate, loss in ((1e-4, 1.5), (2e-4, 1.25), (5e-4, 1.75)):
        tuning.training(study.tuning_run("full", rate), dev_losses=[loss])


def test_tables_say_what_is_there(made, study, load_script, monkeypatch, capsys):
    summary = load_script(SCRIPTS / "summary.py")
    monkeypatch.setattr(summary, "comparisons", lambda part: [])
    monkeypatch.setattr(sys, "argv", ["summary.py", "--no-figures"])
    summary.main()
    text = (study.RESULTS / "summary.md").read_text()
    assert text.strip() == capsys.readouterr().out.strip()
    assert "| full | 0.0001: 1.500, **0.0002: 1.250**, 0.0005: 1.750 |  |" in text
    assert "| base | 2 | 5.00 | 5.00 |" in text
    assert "| auto-mixture | 2 | 7.25 | 7.25 ± 0.07 |" in text
    assert "| full | 614,990,848 (100%) | 22,413,312 | 0.50 |  |" in text
    assert "| auto-mixture | 1.0 | 1.0 | 5.0 | 5.0 | 9.0 | 9.0 | -1.00, -1.00 |" in text
    assert "| auto-mixture | 2 | -1.00, -1.00 | -1.00 | -1.00 to -1.00 |" in text


def test_the_committed_summary_is_what_is_written_today(load_script, monkeypatch, tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "results" / "bible10")
    monkeypatch.chdir(tmp_path)
    load_script(SCRIPTS / "study.py")
    summary = load_script(SCRIPTS / "summary.py")
    monkeypatch.setattr(sys, "argv", ["summary.py", "--no-figures"])
    (tmp_path / "results" / "bible10" / "summary.md").unlink()
    summary.main()
    written = (tmp_path / "results" / "bible10" / "summary.md").read_text(encoding="utf-8")
    assert written == (SCRIPTS / "summary.md").read_text(encoding="utf-8")


def test_comparisons_are_made_of_the_seeds_that_have_both_runs(made, study, load_script, monkeypatch):
    summary, said = load_script(SCRIPTS / "summary.py"), []

    def compare(self, command, makes):
        said.append(command)
        raise InterruptedError

    monkeypatch.setattr(study.Study, "lslo", compare)
    assert summary.comparisons(study.STRAIGHT) == []  # there are no translations
    for seed, run in product((2, 3), ("base", "full")):
        (study.RESULTS / f"straight/seed-{seed}/runs/{run}/hypotheses").mkdir()
    with pytest.raises(InterruptedError):
        summary.comparisons(study.STRAIGHT)
    assert said[0].startswith("compare full base ") and "--seeds 2,3 " in said[0]
    parse(get_command(app), said[0])


def test_figures_are_drawn_of_what_is_there(made, study, load_script, monkeypatch):
    summary, said = load_script(SCRIPTS / "summary.py"), []
    monkeypatch.setattr(study.Study, "lslo", lambda self, command, makes: said.append(command))
    summary.draw(study.ROTATED)
    assert [command.split()[1] for command in said] == ["heatmap", "pareto"]
    for command in said:
        parse(get_command(app), command)
