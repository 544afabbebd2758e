"""Adapters on disk."""

from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import save_file

from lslo_cli.errors import InputError
from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.files import read_metadata, restore_flare, save_flare
from lslo_cli.flare.heads import Classifier
from lslo_cli.method.flare import Phi, SourceNorm


def test_what_is_saved_is_what_is_loaded(xlmr, tmp_path):
    settings = FlareSettings(
        phi=Phi.CROSS_ATTENTION,
        rank=3,
        alpha=5.0,
        source_layer_offset=0,
        source_norm=SourceNorm.INPUT,
        mask_padding=True,
        elsewhere=True,
        stacks=("encoder",),
    )
    adapters, head = attach_flare(xlmr.model(), settings), Classifier(16, 3)
    for parameter in adapters.parameters():
        parameter.data.normal_()
    path = tmp_path / "new" / "flare.safetensors"
    save_flare(path, adapters, {"head": head}, language="jav")
    other_head = Classifier(16, 3)
    loaded = attach_flare(xlmr.model(), settings)
    restore_flare(path, loaded, {"head": other_head})  # which refuses other settings
    for name, tensor in adapters.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert torch.equal(other_head.linear.weight, head.linear.weight)
    assert read_metadata(path)["language"] == "jav"
    assert [file.name for file in path.parent.iterdir()] == ["flare.safetensors"]


@pytest.mark.parametrize("phi", [None, Phi.ADD])
def test_settings_of_the_source_matter_only_to_adapters_that_read_it(xlmr, tmp_path, phi):
    path = tmp_path / "flare.safetensors"
    adapters = attach_flare(xlmr.model(), FlareSettings(phi=phi))
    save_flare(path, adapters)
    others = {"mask_padding": False, "source_norm": SourceNorm.INPUT, "source_layer_offset": 0}
    for name, value in others.items():
        other = attach_flare(xlmr.model(), FlareSettings(phi=phi, **{name: value}))
        with nullcontext() if phi is None else pytest.raises(InputError, match="settings other than"):
            restore_flare(path, other)
    with pytest.raises(InputError, match="settings other than"):
        restore_flare(path, attach_flare(xlmr.model(), FlareSettings(phi=phi, rank=3)))


def test_equal_adapters_are_equal_bytes(xlmr, tmp_path):
    for name in "abcdefgh":  # the order of several keys would differ sooner or later
        torch.manual_seed(1)
        adapters = attach_flare(xlmr.model(), FlareSettings())
        save_flare(tmp_path / name, adapters, run="flare", language="jav")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_file_is_an_input_error(xlmr, tmp_path, content):
    path = tmp_path / "flare.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read FLARE adapters"):
        restore_flare(path, attach_flare(xlmr.model(), FlareSettings()))


def test_missing_and_foreign_files_are_input_errors(xlmr, tmp_path):
    adapters = attach_flare(xlmr.model(), FlareSettings())
    with pytest.raises(InputError, match="cannot read"):
        restore_flare(tmp_path / "none.safetensors", adapters)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(InputError, match="holds no FLARE adapters"):
        restore_flare(foreign, adapters)


def test_adapters_of_another_model_are_refused(xlmr, decoder, tmp_path):
    path = tmp_path / "flare.safetensors"
    save_flare(path, attach_flare(xlmr.model(), FlareSettings()))
    with pytest.raises(InputError, match="does not fit"):
        restore_flare(path, attach_flare(decoder.model(), FlareSettings()))


def test_a_failed_write_leaves_the_old_file(xlmr, tmp_path, monkeypatch):
    path = tmp_path / "flare.safetensors"
    adapters = attach_flare(xlmr.model(), FlareSettings())
    save_flare(path, adapters)
    before = path.read_bytes()

    def fail(file, path, tensors, metadata):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lslo_cli.flare.files.write_tensors", fail)
    with pytest.raises(InputError, match="No space left"):
        save_flare(path, adapters)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
