"""FLARE's figures from made-up artifacts: what the one of noise shows, and when it cannot be drawn."""

import json
import shutil
from pathlib import Path

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError
from lslo_cli.flare.catalogue import FIGURES
from lslo_cli.flare.figures import prepare_languages, prepare_noise, prepare_sources
from lslo_cli.flare.reading import read_study
from lslo_cli.flare.results import FlareEvaluationResult
from lslo_cli.flare.tables import noise_table
from lslo_cli.plots.style import Style

COMMITTED = Path(__file__).parents[2] / "results" / "flare-nusax-english"
RUNS = ["flare:add-relu:1", "lora", "translate-test", "input-fusion"]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Three seeds of the committed study, with tests at two more shares of noise, each 10 points lower."""
    folder = tmp_path_factory.mktemp("noisy")
    for seed in (1, 2, 3):
        for name in ("ace", "jv"):
            there = folder / f"seed-{seed}" / name
            there.mkdir(parents=True)
            for file in ("training.json", "evaluation.json"):
                shutil.copy(COMMITTED / f"seed-{seed}" / name / file, there / file)
            document = json.loads((there / "evaluation.json").read_text(encoding="utf-8"))
            result = document["result"]
            result["predictions"] += [
                {**test, "noise": share, "score": test["score"] - 25 * share}
                for share in (0.2, 0.4)
                for test in result["predictions"]
                if test["run"] in RUNS and test["run"] != "lora" and test["source"] == "matched"
            ]
            document["recipe"]["flare"] |= {"source_noise": "drop", "train_noise": 0.1}
            document["digest"] = digest_of(result)
            (there / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    return ExperimentFolder(folder)


def changed(study, folder, change):
    """A copy of a study in which ``change`` was made to every evaluation's result."""
    shutil.copytree(study.path, folder)
    for path in folder.glob("seed-*/*/evaluation.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document["result"])
        document["digest"] = digest_of(document["result"])
        path.write_text(json.dumps(document), encoding="utf-8")
    return ExperimentFolder(folder)


def test_lines_of_noise_are_means_over_languages_with_intervals_over_seeds(noisy):
    assert store.read(noisy.path / "seed-1/ace/evaluation.json", FlareEvaluationResult)
    prepared = prepare_noise([noisy])
    scores, metric, kind, trained_with = prepared.figure.args
    assert (list(scores), metric, kind, trained_with) == (RUNS, "macro-F1", "drop", 0.1)
    averages = read_study([noisy]).averages("flare:add-relu:1")
    assert scores["flare:add-relu:1"][0.4] == pytest.approx([score - 10 for score in averages.values()])
    assert scores["lora"][0.4] == scores["lora"][0] and len(scores["lora"][0]) == 3
    figure = prepared.figure(style=Style.SCREEN)
    (axes,) = figure.axes
    drawn = {container.get_label(): container for container in axes.containers}
    assert list(drawn) == RUNS
    line, _, (bars,) = drawn["flare:add-relu:1"]
    heights = [segment[1][1] - segment[0][1] for segment in bars.get_segments()]
    assert len(heights) == 3 and min(heights) > 0  # as wide at every share: scores differ by a constant
    assert heights == pytest.approx([heights[0]] * 3)
    assert line.get_ydata()[0] - line.get_ydata()[2] == pytest.approx(10)


def test_runs_with_noise_of_their_own_stand_beside_those_without(noisy, tmp_path):
    def change(result):
        tests = result["predictions"]
        fused = [test for test in tests if test["run"] == "flare:add-relu:1" and test["source"] == "matched"]
        tests += [{**test, "run": "flare:add-relu:1~0.4", "score": test["score"] + 5} for test in fused]

    study = changed(noisy, tmp_path / "study", change)
    prepared = prepare_noise([study])
    scores = prepared.figure.args[0]
    assert list(scores) == [RUNS[0], "flare:add-relu:1~0.4", *RUNS[1:]]
    assert scores["flare:add-relu:1~0.4"][0.2] == pytest.approx([s + 5 for s in scores[RUNS[0]][0.2]])
    figure = prepared.figure(style=Style.SCREEN)
    assert any("or with the share after ~" in text.get_text() for text in figure.texts)
    assert "flare:add-relu:1~0.4" not in prepare_languages([study]).figure.args[0]
    table = noise_table(read_study([study]))
    gains = {row[0]: row[-1].mean for row in table.rows if "over the better" in row[0]}
    assert list(gains) == [
        f"{run}, over the better of lora and translate-test"
        for run in ("input-fusion", "flare:add-relu:1", "flare:add-relu:1~0.4")
    ]
    one, other = list(gains.values())[1:]
    assert other - one == pytest.approx(5)


def test_folders_of_seeds_are_the_experiment(noisy):
    assert prepare_noise(noisy.seeds()).figure.args == prepare_noise([noisy]).figure.args
    with pytest.raises(InputError, match="are both of ace, seed 1"):
        read_study([noisy, ExperimentFolder(COMMITTED)])


def test_a_study_of_spans_has_no_line_of_labels(noisy, tmp_path):
    study = changed(noisy, tmp_path / "study", lambda result: result.update(labels=[]))
    prepared = prepare_languages([study])
    assert prepared.figure.args[-1] is None
    labels = prepared.figure(style=Style.SCREEN).axes[0].get_legend_handles_labels()[1]
    assert "flare:add-relu:1" in labels and not any("label" in label for label in labels)
    assert "wrong source's label" not in prepare_sources([study]).figure.args[1]
    (drawn,) = prepare_languages([noisy]).figure(style=Style.SCREEN).axes
    assert any("another row's label" in label for label in drawn.get_legend_handles_labels()[1])


def test_one_seed_has_no_deviation_in_a_note(noisy):
    for folders, note in ((noisy.seeds()[:1], "One seed."), ([noisy], "over 3 seeds.")):
        texts = prepare_languages(folders).figure(style=Style.SCREEN).texts
        assert any(text.get_text().endswith(note) for text in texts)
    assert prepare_noise(noisy.seeds()[:1]).caption.endswith("mean over languages, one seed.")


def test_a_method_that_has_only_a_run_with_noise_is_drawn_by_it(noisy, tmp_path):
    def change(result):
        result["predictions"] = [
            {**test, "run": "flare:add-relu:1~0.4"} if test["run"] == "flare:add-relu:1" else test
            for test in result["predictions"]
            if test["run"] == "flare:add-relu:1" or not test["run"].startswith("flare:")
        ]

    study = changed(noisy, tmp_path / "study", change)
    assert "flare:add-relu:1~0.4" in prepare_languages([study]).figure.args[0]


def test_a_run_that_no_seed_has_in_all_languages_is_not_drawn_against_noise(noisy, tmp_path):
    def change(result):
        if result["language"] == "ace":
            result["predictions"] = [t for t in result["predictions"] if t["run"] != "input-fusion"]

    prepared = prepare_noise([changed(noisy, tmp_path / "study", change)])
    assert list(prepared.figure.args[0]) == [run for run in RUNS if run != "input-fusion"]
    texts = [text.get_text() for text in prepared.figure(style=Style.SCREEN).texts]
    assert any("95 % interval over 3 seeds." in text for text in texts)


def test_one_share_of_noise_is_no_line():
    with pytest.raises(InputError, match="have 0% of noise in their sources") as error:
        prepare_noise([ExperimentFolder(COMMITTED)])
    assert "flare.test_noise=0,0.2,0.4" in error.value.hint


@pytest.mark.parametrize("spec", FIGURES, ids=lambda spec: spec.name)
def test_a_figure_of_nothing_says_what_to_make(spec, tmp_path):
    with pytest.raises(InputError, match="no evaluation in") as error:
        spec.prepare([ExperimentFolder(tmp_path)])
    assert error.value.hint == "make it first: lslo flare evaluate"
