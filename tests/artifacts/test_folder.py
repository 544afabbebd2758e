import os

from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder


def touch(path, time):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time, time))


def test_asking_for_paths_creates_nothing(tmp_path):
    folder = ExperimentFolder(tmp_path / "tiny")
    run = folder.run("2-2-8")
    assert run.training == tmp_path / "tiny" / "runs" / "2-2-8" / "training.json"
    assert folder.trained_runs() == folder.evaluated_runs() == []
    assert not folder.path.exists()


def test_trained_runs_come_oldest_first(tmp_path):
    folder = ExperimentFolder(tmp_path)
    for time, name in enumerate(["full", "2-2-8", "8-8-8"]):
        touch(folder.run(name).training, time)
    touch(folder.run("interrupted").checkpoint / "state.pt", 9)
    assert [run.name for run in folder.trained_runs()] == ["full", "2-2-8", "8-8-8"]


def test_the_base_model_comes_first_among_evaluated_runs(tmp_path):
    folder = ExperimentFolder(tmp_path)
    for name in ("full", "2-2-8", BASE_RUN):
        touch(folder.run(name).evaluation, 0)
    assert [run.name for run in folder.evaluated_runs()] == ["base", "2-2-8", "full"]
