"""Figures read artifacts as reports do: stale ones, and unequal ones, are refused."""

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import DataIdentity, Input
from lslo_cli.errors import InputError
from lslo_cli.method.languages import groups
from lslo_cli.plots.catalogue import figure_named
from lslo_cli.report.figures import draw
from lslo_cli.report.reading import read_studies

RUN = "2-2-8"


@pytest.fixture
def seed(written, tmp_path):
    """A seed of an experiment with a base, and one run that was trained and scored."""

    def seed(number, inputs=(), settings=None, **replaced):
        experiment = written(tmp_path / f"seed-{number}", seed=number, **replaced)
        cells = dict.fromkeys(groups(experiment.languages), 20.0 + number)
        experiment.evaluation("base", cells)
        experiment.training(RUN, **(settings or {}))
        experiment.evaluation(RUN, cells, inputs=inputs)
        return ExperimentFolder(experiment.path)

    return seed


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_seeds_that_were_measured_alike_are_drawn(seed, figure):
    prepared = figure_named(figure).prepare([seed(2), seed(3)])
    assert "2 seeds" in str(prepared.text())


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_an_evaluation_of_another_training_is_stale_in_a_figure_too(seed, figure):
    old = Input(role="training", path="training.json", digest="0" * 64)
    with pytest.raises(InputError, match="is stale: it was made from another training"):
        figure_named(figure).prepare([seed(2, inputs=[old])])


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_seeds_with_another_test_text_or_base_model_have_no_mean(seed, figure):
    text = {"path": "f", "split": "dev", "rows": 997, "examples": 1, "digest": "d" * 64}
    with pytest.raises(InputError, match=r"seed-2\S+ and \S+seed-3\S+ were .* different test texts"):
        figure_named(figure).prepare([seed(2), seed(3, text=text)])
    small = seed(4)
    other = seed(5).run("base").evaluation
    other.write_text(other.read_text().replace("b" * 64, "c" * 64))
    with pytest.raises(InputError, match="different base models"):
        figure_named(figure).prepare([small, seed(2), ExperimentFolder(other.parents[2])])


@pytest.mark.parametrize("figure", ["pareto", "directions", "epochs", "schedule"])
def test_seeds_of_a_run_that_were_trained_differently_have_no_mean(seed, figure):
    with pytest.raises(InputError, match="were trained with different span: all and d_model"):
        figure_named(figure).prepare([seed(2), seed(3, settings={"span": "d_model"})], [RUN])


def test_curves_of_another_text_or_search_are_not_drawn_on_one_axis(made, written, tmp_path):
    of_tests = {"path": "f", "split": "devtest", "rows": 3, "examples": 1, "digest": "t" * 64}
    of_dev = {**of_tests, "split": "dev rows", "digest": "d" * 64}

    def seed(number, runs):
        experiment = written(tmp_path / f"{number}-{len(runs)}", seed=number)
        for name, (text, data, search) in runs.items():
            recipe = {"data": data, "evaluate": {"beam": 5, "max_new_tokens": 200, **search}}
            experiment.write(
                f"runs/{name}/training.json", made.trained(name), recipe=recipe, data=[DataIdentity(**text)]
            )
        return ExperimentFolder(experiment.path)

    epochs = figure_named("epochs").prepare
    drawn = of_dev, {"dev_rows": 3}, {}
    other_rows = {**of_dev, "digest": "e" * 64}, {"dev_rows": 3}, {}
    assert epochs([seed(2, {"a": drawn, "b": drawn}), seed(3, {"a": other_rows})])
    with pytest.raises(InputError, match="run a and run b were scored with different samples: f dev rows, "):
        epochs([seed(4, {"a": drawn, "b": (of_tests, {}, {})})])
    with pytest.raises(InputError, match="run a and run b were scored with different samples of seed 5"):
        epochs([seed(5, {"a": drawn, "b": other_rows})])
    with pytest.raises(InputError, match="were scored with different evaluate.beam: 5 and 1") as error:
        epochs([seed(6, {"a": drawn}), seed(7, {"a": (*drawn[:2], {"beam": 1})})])
    assert "draw them separately" in error.value.hint
    assert epochs([seed(8, {"a": drawn, "b": (of_tests, {}, {})})], ["a"])


ESTIMATES = {
    "weights": (
        "index-strategy.json",
        "strategy",
        {"weight_learn": {"rank": 4}},
        "weight_learn.rank: 8 and 4",
    ),
    "heatmap": ("subspace.json", "estimate", {"fit": {"lr": 0.1}}, "fit.lr: 0.003 and 0.1"),
    "matrices": (
        "subspace-language.json",
        "estimate",
        {"data": {"train_rows": 9}},
        "data.train_rows: None and 9",
    ),
    "relatives": (
        "subspace.json",
        "estimate",
        {"adapters": {"span": "d_model"}},
        "adapters.span: all and d_model",
    ),
}


@pytest.mark.parametrize("figure", ESTIMATES)
def test_what_seeds_learned_with_other_settings_and_what_is_stale_has_no_mean(
    figure, made, written, tmp_path
):
    name, result, other, told = ESTIMATES[figure]
    result = getattr(made, result)()
    recipe = {
        "fit": {"lr": 0.003},
        "adapters": {"span": "all"},
        "weight_learn": {"rank": 8},
        "data": {"train_rows": None},
    }

    def seed(number, changes=None, inputs=()):
        experiment = written(tmp_path / f"seed-{number}", seed=number)
        experiment.write(name, result, inputs, recipe={**recipe, **(changes or {})})
        return ExperimentFolder(experiment.path)

    prepare = figure_named(figure).prepare
    assert prepare([seed(2), seed(3)])
    with pytest.raises(
        InputError, match=f"seed-2/{name} and .*seed-4/{name} were made with different {told}"
    ):
        prepare([seed(2), seed(4, other)])
    written(tmp_path / "seed-5", seed=5).write("base.json", result)
    with pytest.raises(InputError, match="is stale"):
        prepare([seed(2), seed(5, inputs=[Input(role="base", path="base.json", digest="0")])])


def test_an_index_that_each_seed_learned_for_itself_may_differ_in_a_mean_and_no_other(
    made, written, tmp_path
):
    def seed(number, index, inputs=()):
        experiment = written(tmp_path / f"seed-{number}", seed=number)
        recipe = {"estimate_subspace": {"index": index}}
        experiment.write("subspace.json", made.estimate(), inputs, recipe=recipe)
        return ExperimentFolder(experiment.path)

    def learned(digest):
        return [Input(role="index-strategy", path="index-strategy.json", digest=digest)]

    prepare = figure_named("heatmap").prepare
    assert prepare([seed(2, None, learned("2")), seed(3, "learned", learned("3"))])
    assert prepare([seed(4, None), seed(5, "paper")])
    with pytest.raises(InputError, match="were made with different index: learned and target"):
        prepare([seed(2, None, learned("2")), seed(6, "target")])


def test_a_copy_of_a_seed_is_not_counted(seed):
    first = seed(2)
    prepared = figure_named("pareto").prepare([first, first, seed(3)])
    assert "of 2 seeds" in str(prepared.text())


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_a_folder_that_mixes_seeds_is_refused_as_in_a_report(seed, figure):
    folders = [seed(2), seed(3)]
    base, copied = (folder.run("base").evaluation for folder in folders)
    copied.write_bytes(base.read_bytes())
    with pytest.raises(InputError, match=r"seed-3 mixes seed \d and seed \d \(evaluation\)"):
        figure_named(figure).prepare(folders)


@pytest.mark.parametrize("figure", ["pareto", "directions", "schedule"])
def test_a_run_of_another_training_seed_than_the_folder_is_refused(seed, written, tmp_path, figure):
    folders = [seed(2), seed(3)]
    written(tmp_path / "seed-3", seed=2).training(RUN)
    if figure == "schedule":  # which reads no evaluations
        written(tmp_path / "seed-3", seed=3).training("4-4-4-gps0.9")
    with pytest.raises(InputError, match=r"seed-3 mixes seed \d and seed \d \(training\)"):
        figure_named(figure).prepare(folders)


def test_a_figure_that_seeds_have_of_different_estimates_is_left_out(written, made, tmp_path, monkeypatch):
    for seed, name in {2: "subspace-language.json", 3: "subspace.json"}.items():
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        experiment.write(name, made.estimate())
        experiment.write("index-strategy.json", made.strategy())
    chosen = [figure_named(name) for name in ("matrices", "weights")]
    monkeypatch.setattr("lslo_cli.report.figures.FIGURES", chosen)
    (figure,) = draw(read_studies([tmp_path])[0])
    assert figure.title.startswith("Source and target weights")
