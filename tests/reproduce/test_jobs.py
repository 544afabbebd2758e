import shutil
from functools import partial

import pytest
from typer.testing import CliRunner

from lslo_cli.cli.app import app
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted
from lslo_cli.method.languages import Resource
from lslo_cli.models.model_languages import WORLD_FOLDER, with_languages
from lslo_cli.recipe import MEMORY_FILE, Memory, ReproduceSection, Stage, read_memory
from lslo_cli.reproduce import JobKind, execute, find_targets, jobs_of, only, targets, waves


def names(jobs):
    return [job.name for job in jobs.values()]


def test_a_table_is_its_runs_and_what_they_need(jobs):
    table = jobs("table-3")
    assert names(table) == [
        "base", "full", "weight-learn", "2-2-8-gps0.9", "2-2-8-source-gps0.9", "2-2-8-target-gps0.9",
    ]  # fmt: skip
    assert table["small/2-2-8-gps0.9"].needs == ("small/weight-learn",)
    assert not table["small/2-2-8-source-gps0.9"].needs and not table["small/full"].needs


@pytest.mark.parametrize(
    ("figure", "stage"),
    [
        ("figure-1", ["weight-learn"]),
        ("figure-2", ["weight-learn", "estimate-subspace"]),
        ("figure-4", ["weight-learn", "estimate-by-language"]),
        ("figure-5", ["weight-learn", "estimate-subspace"]),
        ("figure-6", ["weight-learn", "estimate-by-language"]),
    ],
)
def test_a_figure_needs_the_stage_it_shows(jobs, figure, stage):
    assert names(jobs(figure))[:-1] == stage


def test_what_several_targets_need_is_made_once(jobs):
    everything = jobs("all")
    assert len(names(everything)) == len(set(names(everything)))
    assert set(names(jobs("tables"))) < set(names(everything))


def test_everything_comes_after_what_it_needs(jobs):
    everything = jobs("table-9", "figures", "tables", seeds=(2, 3))
    before = set()
    for label, job in everything.items():
        assert before.issuperset(job.needs)
        before.add(label)
    assert "small/seed-3/2-2-8-gps0.9" in everything["small/seed-3/prune-report"].needs


def test_seeds_that_are_given_live_below_the_experiments_folder_one_as_well_as_several(jobs, tmp_path):
    plain, one, both = jobs("figure-1"), jobs("figure-1", seeds=(5,)), jobs("figure-1", seeds=(5, 6))
    assert plain["small/weight-learn"].experiment.folder.path == tmp_path / "results/small"
    assert one["small/seed-5/weights"].experiment.folder.path == tmp_path / "results/small/seed-5"
    assert one["small/seed-5/weight-learn"].experiment.recipe.seed == 5
    assert set(both) == {label.replace("seed-5", f"seed-{seed}") for label in one for seed in (5, 6)}


def test_what_is_made_beside_the_seeds_of_a_study_or_again_as_one_of_them_is_said(small, tmp_path, written):
    folder, table = tmp_path / "out/small", find_targets(["table-3"], small)

    def said(*seeds):
        notes = []
        jobs_of(table, tmp_path / "out", seeds, "lslo test", notes.append)
        return [note.text for note in notes]

    written(folder, seed=2).training("2-2-8")
    assert said() == [] and said(3) == []
    (note,) = said(2, 3)
    assert note.startswith(f"{folder} itself holds seed 2, which --seeds makes again in {folder}/seed-2;")
    for seed in (2, 3):
        written(folder / f"seed-{seed}", seed=seed).training("2-2-8")
    assert said(2, 3) == []
    (note,) = said()
    assert note.startswith(f"{folder} holds seed 2, 3 in seed-N/: without --seeds, what is made")


def test_without_a_recipe_each_table_is_of_the_languages_it_is_about(tmp_path):
    labels = jobs_of(find_targets(["tables"]), tmp_path, (), "lslo test")
    assert {label.partition("/")[0] for label in labels} == {"lang12", "lang30"}
    assert labels["lang30/2-2-8-8-gps0.9"].experiment.recipe.train.index == "paper"
    assert "lang30/weight-learn" not in labels


def test_a_table_of_a_group_that_does_not_fit_the_languages_is_left_out(small):
    notes = []
    targets = find_targets(["tables"], small, on_event=notes.append)
    assert "table-2" not in [target.name for target in targets]
    assert [note.text for note in notes if isinstance(note, Noted)] == [
        "left out table-2: 8-8-8-8 has ranks for 4 classes, not for high, medium, very-low"
    ]


def test_a_table_that_does_not_fit_is_refused_where_it_is_asked_for(jobs):
    with pytest.raises(UsageError, match="4 ranks for 3 resource classes"):
        jobs("table-2")


def test_an_unknown_target_is_refused_with_what_there_is(jobs):
    with pytest.raises(InputError, match="Did you mean 'table-1'") as error:
        jobs("table1")
    assert "figure-3" in error.value.hint and "tables" in error.value.hint


@pytest.mark.parametrize(
    ("name", "command"), [("world-base", "lslo base train"), ("flores-small-base", "lslo base train")]
)
def test_a_recipe_of_another_command_is_refused_with_that_command(name, command):
    with pytest.raises(UsageError, match=f"the recipe '{name}'") as error:
        find_targets([name])
    assert f"{command} --recipe {name}" in error.value.hint


def test_a_recipe_that_names_nothing_is_the_pipeline_with_its_own_run(tmp_path):
    lang12 = jobs_of(find_targets(["lang12"]), tmp_path, (), "lslo test")
    assert names(lang12) == [
        "weight-learn", "estimate-subspace", "base", "2-2-8-gps0.9", "prune-report",
    ]  # fmt: skip
    assert lang12["lang12/prune-report"].runs == ("2-2-8-gps0.9",)


def test_a_recipe_that_asks_for_the_estimated_ranks_makes_the_estimate_first(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\nlangs = "qta,qso,qki,qsi"\n[train]\nranks = "auto"\n')
    jobs = jobs_of(find_targets([str(own)]), tmp_path, (), "lslo test")
    assert set(jobs["own/auto"].needs) == {"own/weight-learn", "own/estimate-subspace"}
    assert jobs["own/prune-report"].runs == ("auto",)


def test_settings_given_beside_reach_every_run(small, tmp_path):
    targets = find_targets(["table-3"], small, {"fit.epochs": 4}, ["train.gps_duration=1"])
    for job in jobs_of(targets, tmp_path, (), "lslo test").values():
        assert job.experiment.recipe.fit.epochs == 4
        assert job.experiment.recipe.train.gps_duration == 1
        assert job.experiment.recipe.reproduce == ReproduceSection()


def test_a_part_is_kept_with_what_it_needs(jobs):
    table = jobs("tables", seeds=(2, 3))
    assert list(only(table, ["8-8-8"])) == [
        f"small/seed-{seed}/{name}" for seed in (2, 3) for name in ("weight-learn", "8-8-8")
    ]
    assert list(only(table, ["seed-3/full"])) == ["small/seed-3/full"]


def test_an_unknown_part_is_refused_with_the_parts(jobs):
    with pytest.raises(UsageError, match="--only 8-8: there is no such part. Did you mean '8-8-8'"):
        only(jobs("table-1"), ["8-8"])


def test_the_runs_of_the_second_wave_do_not_need_each_other(jobs):
    shared, runs, tests, rest = waves(jobs("all"))
    labels = {job.label for job in runs}
    assert all(labels.isdisjoint(job.needs) for job in (*shared, *runs)) and not tests
    assert {job.kind for job in runs} == {JobKind.RUN}
    assert {job.kind for job in rest} == {Stage.PRUNE_REPORT, JobKind.FIGURE}


def test_a_seed_that_was_given_is_the_seed_of_every_job(small, tmp_path):
    found = jobs_of(find_targets(["table-3"], small, {"seed": 5}), tmp_path, (), "lslo test")
    assert {job.experiment.recipe.seed for job in found.values()} == {5}


@pytest.fixture
def described(write):
    """A recipe of languages that the paper does not have, with their text."""
    files = {
        f"text/{split}.{code}": "a b\n" * 9 for split in ("dev", "devtest") for code in ("en", "kk", "tr")
    }
    folder = write(files)
    (folder / "mine.toml").write_text(
        'name = "mine"\nlangs = ["en", "kk", "tr"]\nclasses = "text"\n'
        f'[model]\nname = "m2m-100-418m"\n[data]\npath = "{folder}/text"\n'
    )
    return str(folder / "mine.toml")


def test_classes_are_those_of_the_text_and_the_text_is_read_once_for_each_seed(
    described, tmp_path, monkeypatch
):
    read = []
    monkeypatch.setattr(
        targets, "with_languages", lambda recipe: read.append(recipe) or with_languages(recipe)
    )
    found = jobs_of(find_targets([described]), tmp_path / "out", (3, 4), "lslo test")
    assert [job.name for job in found.values() if job.kind is JobKind.RUN] == ["base", "2-8-gps0.9"] * 2
    for job in found.values():
        classes = [language.resource for language in job.experiment.recipe.selected_languages()]
        assert classes == [Resource.HIGH, Resource.VERY_LOW, Resource.VERY_LOW]
    assert {job.experiment.recipe.seed for job in found.values()} == {3, 4}
    assert [recipe.seed for recipe in read] == [3, 4]


def test_languages_that_only_the_base_model_has_are_taken_as_in_training(tmp_path):
    own = tmp_path / "own"
    shutil.copytree(WORLD_FOLDER, own)
    for name in ("dict.txt", "training.json"):
        (own / name).write_text((own / name).read_text().replace("qta", "tyv"))
    given = {"langs": "tyv,qki", "model.name": str(own), "data.path": str(tmp_path), "train.ranks": "2,8"}
    found = jobs_of(find_targets(["lang12"], given={**given, "name": "tt"}), tmp_path, (), "lslo test")
    assert {job.place for job in found.values()} == {"tt"}
    for job in found.values():
        assert [language.code for language in job.experiment.recipe.selected_languages()] == ["tyv", "qki"]
        assert job.experiment.recipe.selected_languages()[0].resource is Resource.UNLABELLED


@pytest.mark.parametrize("seeds", [(), (4,), (3, 4)])
def test_what_is_made_remembers_the_recipe_and_what_was_given_but_no_row_of_a_table(small, tmp_path, seeds):
    results, given = tmp_path / "out", {"data.path": str(tmp_path), "fit.epochs": 3}
    made = jobs_of(find_targets(["table-3"], small, given), results, seeds, "lslo test")
    for job in made.values():
        seed = {"seed": job.experiment.recipe.seed} if seeds else {}
        name = {"name": f"seed-{seed['seed']}"} if seeds else {}
        assert job.experiment.memory == Memory(small, {"data.path": str(tmp_path), **seed, **name})


def test_a_command_on_what_was_made_needs_no_recipe_for_a_seed_or_the_study(small, tmp_path):
    results, lslo = tmp_path / "out", partial(CliRunner().invoke, app, prog_name="lslo")
    jobs = jobs_of(find_targets(["table-3"], small), results, (3, 4), "lslo test")
    execute(only(jobs, ["seed-3/base", "seed-4/base"]))
    assert {path.parent.name for path in results.rglob(MEMORY_FILE)} == {"seed-3", "seed-4"}
    study = results / jobs_of(find_targets(["table-3"], small), results, (), "").popitem()[1].place
    asked = ("--results", str(results), "--name", study.name)
    done = lslo(["compare", "base", "full", *asked])
    assert f"{study}/seed-3/{MEMORY_FILE}: --recipe {small}" in done.stderr.replace("\n", "")
    assert done.exit_code == 3 and "--name seed-3 --run base --run full" in done.stderr
    one = lslo(["train", "--dry-run", "--results", str(study), "--name", "seed-4"])
    assert one.exit_code == 0 and "--seed 4" in one.stderr, one.output
    assert read_memory(study / "seed-4").given == {"seed": 4, "name": "seed-4"}
