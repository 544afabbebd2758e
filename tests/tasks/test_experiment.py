"""What the commands write: artifacts that chain, with where they come from."""

from safetensors.torch import load_file

from lslo_cli.artifacts import store

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"
ROLES = {
    "index-strategy.json": [],
    "subspace.json": ["index-strategy"],
    f"runs/{GPS_RUN}/training.json": ["index-strategy"],
    "runs/full/training.json": [],
    "prune-report.json": ["subspace", "training"],
    "runs/base/evaluation.json": [],
    f"runs/{GPS_RUN}/evaluation.json": ["training"],
    "runs/full/evaluation.json": ["training"],
}


def test_every_command_writes_its_artifact_and_leaves_no_checkpoint(finished):
    folder, artifacts = finished
    assert set(artifacts) == set(ROLES)
    for path in ROLES:
        assert (folder / path).is_file()
    assert not [path for path in folder.rglob("*") if "checkpoint" in path.name or path.name.startswith(".")]


def test_artifacts_chain_by_digest(finished):
    folder, artifacts = finished
    for path, roles in ROLES.items():
        inputs = artifacts[path].inputs
        assert [item.role for item in inputs] == roles
        for item in inputs:
            upstream = ((folder / path).parent / item.path).resolve().relative_to(folder.resolve())
            assert item.digest == artifacts[str(upstream)].digest


def test_what_is_read_back_is_what_was_written(finished):
    folder, artifacts = finished
    for path, artifact in artifacts.items():
        assert store.read(folder / path, type(artifact.result)) == artifact


def test_artifacts_say_which_model_text_and_command_they_come_from(finished, tiny):
    artifacts = finished[1]
    assert len({artifact.model.digest for artifact in artifacts.values()}) == 1
    training = artifacts[f"runs/{GPS_RUN}/training.json"]
    assert [(item.split, item.limit) for item in training.data] == [("train", 6)]
    assert training.made.command == "lslo test"
    assert training.made.device == "cpu, 1 thread"
    assert training.recipe["train"]["gps"] == 0.9
    assert artifacts["prune-report.json"].made.device == "cpu"
    assert artifacts["prune-report.json"].data == artifacts["subspace.json"].data
    assert [(item.split, item.limit) for item in artifacts["runs/base/evaluation.json"].data] == [("test", 3)]


def test_hypotheses_stand_beside_the_evaluation_line_by_line(finished):
    folder, artifacts = finished
    files = sorted((folder / "runs/full/hypotheses").iterdir())
    assert len(files) == 12
    assert all(len(path.read_text(encoding="utf-8").splitlines()) == 3 for path in files)
    digests = {artifacts[path].result.hypotheses_digest for path in ROLES if path.endswith("evaluation.json")}
    assert len(digests) == 3


def test_running_everything_again_elsewhere_gives_the_same_results(finished, new_experiment, run_pipeline):
    again = run_pipeline(new_experiment)
    assert {path: artifact.digest for path, artifact in again.items()} == {
        path: artifact.digest for path, artifact in finished[1].items()
    }


def test_pruned_languages_have_exactly_the_sparsity_that_was_asked_for(finished):
    state = load_file(finished[0] / f"runs/{GPS_RUN}/adapter/adapter_model.safetensors")
    for name, tensor in state.items():
        pruned = 0 if ".qka." in name else round(0.9 * tensor.numel())
        assert int((tensor == 0).sum()) == pruned, name
