"""Runs from elsewhere are evaluated as those of an experiment are."""

import json
import shutil
from pathlib import Path

import pytest

from lslo_cli.data.text import HELD_OUT
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import ignore
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.evaluate_folder import name_at, run_at

RUN = "2-2-8-gps0.9"


def evaluated(where, results, given):
    return tasks.evaluate_run(*run_at(str(where), results, given), force=False, on_event=ignore)


@pytest.fixture
def moved(finished_experiment, tmp_path):
    """A copy of the run's adapters elsewhere, in a folder called ``mine``."""
    return shutil.copytree(
        finished_experiment().folder.run(RUN).path / "adapter", tmp_path / "elsewhere" / "mine"
    )


@pytest.fixture
def given(finished_experiment):
    """What adapters alone do not say: the text and the machine."""
    return {"run.device": "cpu", "data.path": finished_experiment().recipe.data.path, "name": "other"}


def test_adapters_from_elsewhere_have_the_scores_of_their_run(finished_experiment, moved, given):
    experiment = finished_experiment()
    (by_name,) = tasks.evaluate(experiment, runs=[RUN])
    written = evaluated(moved, experiment.folder.path.parent, given)
    assert written.path == experiment.folder.path.parent / "other" / "runs" / "mine" / "evaluation.json"
    result = written.artifact.result
    assert result.run == "mine"
    assert result.directions == by_name.artifact.result.directions
    assert [item.role for item in written.artifact.inputs] == ["adapter"]
    assert (written.path.parent / "aligned" / "qta-qki.jsonl").is_file()
    assert evaluated(moved, experiment.folder.path.parent, given).up_to_date


def test_a_plan_refuses_adapters_of_another_base(finished_experiment, tiny, moved, given, tmp_path):
    copy = shutil.copytree(tiny.base, tmp_path / "copy")
    experiment, run, trained = run_at(str(moved), tmp_path / "results", {**given, "model.name": str(copy)})
    tasks.evaluation_plan(experiment.recipe, [run], [trained])
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes() + b"\0")
    with pytest.raises(InputError, match="belong to base model"):
        tasks.evaluation_plan(experiment.recipe, [run], [trained])


def test_a_run_of_the_experiment_may_be_named_by_its_folder(finished_experiment):
    experiment = finished_experiment()
    folder = experiment.folder.run(RUN).path
    given = {"name": experiment.folder.path.name, "run.device": "cpu"}
    written = evaluated(folder, experiment.folder.path.parent, given)
    assert written.path == folder / "evaluation.json"


def test_another_run_of_the_name_is_left_alone(finished_experiment, moved, given):
    experiment = finished_experiment()
    other = shutil.copytree(experiment.folder.run("full").path, moved.parent / RUN)
    with pytest.raises(UsageError, match=f"already has a run '{RUN}', other than that of"):
        run_at(str(other), experiment.folder.path.parent, {"name": experiment.folder.path.name})
    with pytest.raises(UsageError, match="has a run 'base'"):
        run_at(str(moved.rename(moved.parent / "base")), experiment.folder.path.parent, given)


def test_rows_that_adapters_may_have_been_trained_on_are_no_test(finished_experiment, moved, given):
    with pytest.raises(UsageError, match="may have been trained on the 1 row that"):
        evaluated(
            moved,
            finished_experiment().folder.path.parent,
            {**given, "data.hold_out": 1, "data.test": HELD_OUT},
        )


def test_rows_are_not_held_out_of_text_that_has_changed_since_adapters_were_trained(
    new_experiment, tiny, tmp_path
):
    text = Path(shutil.copytree(tiny.text, tmp_path / "text"))
    held_out = {"data.path": str(text), "data.hold_out": 2, "data.test": HELD_OUT, "run.device": "cpu"}
    experiment = new_experiment(**held_out, **{"train.ranks": "2,2,8"})
    trained = tasks.train(experiment, run="divided")
    adapters = shutil.copytree(trained.path.parent / "adapter", tmp_path / "elsewhere" / "mine")
    assert evaluated(adapters, tmp_path / "results", held_out).artifact.data[0].rows == 2
    for path in (text / "train").iterdir():
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[::-1]))
    with pytest.raises(UsageError, match="is not as run .* was trained on it"):
        evaluated(adapters, tmp_path / "results", held_out)
    config = adapters / "adapter_config.json"
    older = {key: value for key, value in json.loads(config.read_text()).items() if key != "training_text"}
    config.write_text(json.dumps(older))
    assert evaluated(adapters, tmp_path / "results", held_out).artifact.data[0].rows == 2


def test_the_name_of_a_run_is_that_of_its_folder_or_on_the_hub(tmp_path):
    folder = tmp_path / "runs" / "2-2-8" / "adapter"
    folder.mkdir(parents=True)
    assert name_at(str(folder), folder) == name_at(str(folder.parent), folder.parent) == "2-2-8"
    assert name_at("owner/adapters@v1", folder) == "adapters"
