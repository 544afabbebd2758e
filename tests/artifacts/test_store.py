import hashlib
import json
import os

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TensorFile, TrainingResult
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError


@pytest.fixture
def path(tmp_path, make, index_strategy):
    """An index strategy on disk."""
    path = tmp_path / "tiny" / "index-strategy.json"
    store.write(path, make(index_strategy))
    return path


def rewrite(path, **fields):
    """Change top-level fields of a document on disk; a field of None is removed."""
    document = json.loads(path.read_text(encoding="utf-8")) | fields
    document = {key: value for key, value in document.items() if value is not None}
    path.write_text(json.dumps(document), encoding="utf-8")


def test_an_artifact_reads_back_equal(path, make, index_strategy):
    assert store.read(path, IndexStrategyResult) == make(index_strategy)


def test_numbers_are_stored_as_they_are(tmp_path, make, subspace):
    third = subspace.model_copy(update={"scores": {"en": 1 / 3, "wo": -1 / 3}})
    store.write(tmp_path / "subspace.json", make(third))
    assert store.read(tmp_path / "subspace.json", SubspaceResult).result.scores["en"] == 1 / 3


def test_a_document_is_text_that_a_person_can_read(path):
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "\n" in text[:-1]
    assert json.loads(text)["schema_id"] == "lslo/index-strategy"


def refused(path, result_type=IndexStrategyResult):
    with pytest.raises(InputError) as caught:
        store.read(path, result_type)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_missing_artifact_is_refused_with_the_command_that_makes_it(tmp_path):
    error = refused(tmp_path / "index-strategy.json")
    assert error.message.startswith("no index-strategy at")
    assert error.hint == "make it first: lslo weight-learn"


@pytest.mark.parametrize("content", [b"", b'{"schema_id": ', b"\xff\xfe\x00", b'{"a": NaN}'])
def test_a_file_that_is_not_json_is_refused(path, content):
    path.write_bytes(content)
    assert "is damaged" in refused(path).message


def test_a_truncated_artifact_is_refused(path):
    path.write_bytes(path.read_bytes()[:200])
    assert "is damaged" in refused(path).message


def test_a_folder_in_place_of_an_artifact_is_refused(tmp_path):
    assert "cannot read" in refused(tmp_path).message


def test_an_artifact_of_another_kind_is_refused_with_both_kinds(path):
    error = refused(path, SubspaceResult)
    assert error.message == f"{path} holds lslo/index-strategy, version 1, but lslo/subspace is needed"
    assert error.hint == "name another file, or make it: lslo estimate-subspace"


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"schema_id": null}'])
def test_json_of_something_else_is_refused(path, content):
    path.write_text(content, encoding="utf-8")
    assert "holds no lslo artifact" in refused(path).message


@pytest.mark.parametrize("version", [0, 2])
def test_an_artifact_of_another_version_is_refused_with_both_and_the_command_that_makes_it(path, version):
    rewrite(path, version=version)
    error = refused(path)
    versions = f"version {version} of lslo/index-strategy; this lslo reads version 1"
    assert error.message == f"{path} has {versions}"
    assert error.hint == "make it again: lslo weight-learn"


def test_a_damaged_run_is_to_be_trained_again_by_its_name_and_not_by_a_line_of_another(tmp_path):
    path = tmp_path / "runs" / "hs" / "training.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged") as caught:
        store.read(path, TrainingResult)
    assert caught.value.hint == "train run 'hs' again, with its own settings"


def test_an_artifact_without_a_version_is_refused(path):
    rewrite(path, version=None)
    assert "has version None" in refused(path).message


def test_a_result_that_was_changed_by_hand_is_refused(path):
    result = json.loads(path.read_text(encoding="utf-8"))["result"]
    rewrite(path, result=result | {"rank": 16})
    error = refused(path)
    assert "was changed after it was written" in error.message
    assert error.hint == "make it again: lslo weight-learn"


@pytest.mark.parametrize("field", ["digest", "result"])
def test_an_artifact_without_result_or_digest_is_refused(path, field):
    rewrite(path, **{field: None})
    assert "was changed after it was written" in refused(path).message


def test_a_result_that_does_not_fit_its_schema_is_refused_with_the_place(path):
    result = json.loads(path.read_text(encoding="utf-8"))["result"]
    result["layers"][1]["index"] = "both"
    rewrite(path, result=result, digest=digest_of(result))
    assert "does not fit lslo/index-strategy at 'result.layers.1.index'" in refused(path).message


def test_an_unknown_field_is_refused(path):
    rewrite(path, surprise=1)
    assert "at 'surprise'" in refused(path).message


# Writing: whole or not at all.


def test_nan_is_refused_before_anything_is_touched(path, make, index_strategy):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write(path, make(index_strategy, recipe={"lr": float("nan")}))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_result_cannot_hold_nan(subspace):
    with pytest.raises(ValueError, match="finite number"):
        SubspaceResult.model_validate(subspace.model_dump() | {"mean_rank": float("nan")})


def test_a_failure_while_writing_leaves_the_old_file_and_no_trace(path):
    before = path.read_bytes()
    with pytest.raises(RuntimeError), store.replacing(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_leaves_the_old_file_and_is_explained(path):
    before = path.read_bytes()
    with pytest.raises(InputError, match="cannot write .*: No space left on device"), store.replacing(path):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_old_file_is_there_until_the_new_one_is_whole(path):
    before = path.read_bytes()
    with store.replacing(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_bytes() == before
        assert temporary.parent == path.parent
    assert path.read_text(encoding="utf-8") == "new"


def test_a_written_file_has_the_permissions_of_any_other(path, tmp_path):
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_that_cannot_be_made_is_refused_before_and_while_writing(tmp_path, make, index_strategy):
    (tmp_path / "results").touch()  # a file where a folder is needed stops even root
    with pytest.raises(InputError, match="cannot write .*results") as caught:
        store.check_writable(tmp_path / "results" / "tiny")
    assert "--results" in caught.value.hint
    with pytest.raises(InputError, match="cannot write .*results"):
        store.write(tmp_path / "results" / "tiny" / "index-strategy.json", make(index_strategy))


def test_checking_a_folder_leaves_no_trace(tmp_path):
    store.check_writable(tmp_path / "results" / "tiny")
    assert os.listdir(tmp_path) == []


# Freshness: by digests, never by time.


@pytest.fixture
def report(path, tmp_path, make, subspace):
    """A subspace that was made from the index strategy at ``path``: its own path and the artifact."""
    digest = json.loads(path.read_text(encoding="utf-8"))["digest"]
    artifact = make(subspace, inputs=[Input(role="index-strategy", path=path.name, digest=digest)])
    store.write(path.with_name("subspace.json"), artifact)
    return path.with_name("subspace.json"), artifact


def test_an_artifact_of_the_upstream_that_lies_there_is_fresh(report):
    store.check_fresh(*report)


def test_writing_the_same_upstream_again_leaves_it_fresh(report, path, make, index_strategy):
    store.write(path, make(index_strategy, experiment="made again"))
    store.check_fresh(*report)


def test_another_upstream_makes_it_stale(report, path, make, index_strategy):
    store.write(path, make(index_strategy.model_copy(update={"rank": 4})))
    with pytest.raises(InputError, match="subspace.json is stale: .* another index-strategy") as caught:
        store.check_fresh(*report)
    assert caught.value.hint == "make it again: lslo estimate-subspace"


def test_a_damaged_upstream_makes_it_stale(report, path):
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is stale"):
        store.check_fresh(*report)


def test_an_upstream_that_is_gone_proves_nothing(report, path):
    path.unlink()
    store.check_fresh(*report)


def test_the_input_of_a_role_can_be_asked_for(report, make, index_strategy):
    _, artifact = report
    assert artifact.input_digest("index-strategy") == artifact.inputs[0].digest
    assert artifact.input_digest("subspace") is None


def belongs(path, artifact, digest="b" * 64, languages=("en", "wo")):
    model = artifact.model.model_copy(update={"digest": digest})
    store.check_belongs(path, artifact, model, list(languages), "lslo weight-learn")


def test_an_artifact_of_the_same_model_and_languages_belongs(path, make, index_strategy):
    belongs(path, make(index_strategy))
    belongs(path, make(index_strategy), languages=["wo"])


def test_an_artifact_of_another_base_model_is_refused_with_both_digests(path, make, index_strategy):
    with pytest.raises(InputError, match=r"base model tiny \(bbbbbbbbbbbb\), this run uses cccccccccccc"):
        belongs(path, make(index_strategy), digest="c" * 64)


def test_an_artifact_without_a_language_of_the_run_is_refused(path, make, index_strategy):
    with pytest.raises(InputError, match="has no data on fr, de: it was made for en, wo"):
        belongs(path, make(index_strategy), languages=["en", "fr", "de"])


# Tensor files.


@pytest.fixture
def tensors(path):
    (path.parent / "adapter").mkdir()
    (path.parent / "adapter" / "a.safetensors").write_bytes(b"weights")
    return TensorFile(path="adapter/a.safetensors", digest=hashlib.sha256(b"weights").hexdigest())


def test_a_tensor_file_is_found_beside_its_artifact(path, tensors):
    assert store.read_tensor_path(path, tensors).read_bytes() == b"weights"


def test_a_missing_tensor_file_is_refused_with_the_artifact_that_names_it(path, tensors):
    (path.parent / "adapter" / "a.safetensors").unlink()
    with pytest.raises(InputError, match=r"index-strategy.json refers to .*a.safetensors, which is missing"):
        store.read_tensor_path(path, tensors)


def test_a_tensor_file_with_other_bytes_is_refused(path, tensors):
    (path.parent / "adapter" / "a.safetensors").write_bytes(b"other weights")
    with pytest.raises(InputError, match="a.safetensors is damaged"):
        store.read_tensor_path(path, tensors)
