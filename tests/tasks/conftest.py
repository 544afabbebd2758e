"""An experiment in which every command has run, on the tiny base model."""

import shutil

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.events import Noted, Started
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.setup import prepare

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}


class Heard(list):
    """The events that a command emits, as its listener hears them."""

    def __call__(self, event):
        self.append(event)

    @property
    def notes(self):
        return [event.text for event in self if isinstance(event, Noted)]

    @property
    def tasks(self):
        """What was trained or translated."""
        return [event.task for event in self if isinstance(event, Started)]


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture(scope="session")
def experiments_in(tiny):
    """For a folder, what makes experiments in it, with other settings by dotted key."""

    def experiments_in(folder):
        return lambda **changes: Experiment(tiny.recipe(**changes), ExperimentFolder(folder), "lslo test")

    return experiments_in


@pytest.fixture(scope="session")
def run_pipeline():
    """Run the commands but plot, with the main run and a baseline; artifacts by path."""

    def run_pipeline(experiment):
        written = [
            tasks.weight_learn(experiment()),
            tasks.estimate_subspace(experiment()),
            tasks.train(experiment(**GPS)),
            tasks.train(experiment(**{"train.method": "full"})),
            tasks.prune_report(experiment(), run="2-2-8-gps0.9"),
            *tasks.evaluate(experiment()),
        ]
        folder = experiment().folder.path
        return {str(item.path.relative_to(folder)): item.artifact for item in written}

    return run_pipeline


@pytest.fixture(scope="session")
def finished(experiments_in, run_pipeline, tmp_path_factory):
    """A folder in which everything has run, and the artifacts by path. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "tiny"
    return folder, run_pipeline(experiments_in(folder))


@pytest.fixture
def finished_experiment(experiments_in, finished, tmp_path):
    """Experiments in a copy of the finished folder, which may be changed."""
    shutil.copytree(finished[0], tmp_path / "tiny")
    return experiments_in(tmp_path / "tiny")


@pytest.fixture
def new_experiment(experiments_in, tmp_path):
    """Experiments in a folder that does not exist yet."""
    return experiments_in(tmp_path / "results" / "tiny")


@pytest.fixture
def listing():
    """List every path below a folder with its content."""

    def listing(folder):
        return {
            path.relative_to(folder): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return listing


@pytest.fixture
def setup(tiny):
    """Prepare a stage of the tiny experiment, with other settings by dotted key."""

    def setup(on_event=None, **changes):
        rest = {"on_event": on_event} if on_event else {}
        return prepare(tiny.recipe(**changes), **rest)

    return setup


@pytest.fixture
def text_with(tiny, tmp_path):
    """The tiny text where languages have, of one split, only some rows: the path of a copy."""

    def text_with(split, **rows):
        shutil.copytree(tiny.text, folder := tmp_path / "text")
        for code, kept in rows.items():
            (path,) = (folder / split).glob(f"{code}.*")
            lines = path.read_text(encoding="utf-8").splitlines()
            left = (line if row in kept else "" for row, line in enumerate(lines))
            path.write_text("".join(f"{line}\n" for line in left), encoding="utf-8")
        return str(folder)

    return text_with
