"""Texts are no longer than the task model has positions for."""

import pytest
import torch
import transformers as hf

from lslo_cli.errors import UsageError
from lslo_cli.flare import commands
from lslo_cli.flare.architectures import positions_of
from lslo_cli.flare.plan import plan
from lslo_cli.recipe import resolve

from .conftest import SMALL

TRANSLATION = {"vocab_size": 50, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "pad_token_id": 1}
TRANSLATION |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 12}
LIMITED = {
    "bert": lambda: hf.BertModel(hf.BertConfig(**SMALL, max_position_embeddings=12)),
    "roberta": lambda: hf.RobertaModel(
        hf.RobertaConfig(**(SMALL | {"pad_token_id": 1}), max_position_embeddings=14)
    ),
    "mbart": lambda: hf.MBartForConditionalGeneration(hf.MBartConfig(**TRANSLATION)).get_encoder(),
}


@pytest.mark.parametrize("name", LIMITED)
@torch.no_grad()
def test_the_limit_is_the_longest_text_that_the_model_reads(name):
    model = LIMITED[name]().eval()
    assert positions_of(model) == 12
    read = torch.full((1, 13), 5)
    assert model(input_ids=read[:, :12]).last_hidden_state.shape == (1, 12, 16)
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=read)


def test_computed_and_relative_positions_have_no_limit(stock):
    m2m = hf.M2M100ForConditionalGeneration(hf.M2M100Config(**TRANSLATION)).get_encoder()
    assert positions_of(m2m) is None
    assert (positions_of(stock.model()) is None) == (stock.name not in ("bert", "xlm-roberta"))


def test_input_fusion_is_refused_before_training_if_it_would_read_more_than_the_model(quick_flare, tmp_path):
    runs = {"flare.runs": ("lora", "input-fusion"), "flare.max_length": 300}
    for refused in (lambda made: plan(made, "train"), lambda made: list(commands.train(made))):
        with pytest.raises(UsageError) as caught:
            refused(quick_flare(tmp_path, **runs))
        assert "reads at most 512 tokens at once, and flare.max_length = 300" in caught.value.message
        assert "input-fusion reads twice as many" in caught.value.message
        assert caught.value.hint == (
            "shorten texts: --set flare.max_length=256, or leave input-fusion out of --runs"
        )
    assert not list(tmp_path.rglob("training.json"))
    assert plan(quick_flare(tmp_path, **(runs | {"flare.runs": ("lora",)})), "train").files


def test_a_text_longer_than_the_model_reads_is_refused(quick_flare, tmp_path):
    with pytest.raises(UsageError, match="at most 512 tokens at once, and flare.max_length = 513$") as caught:
        plan(quick_flare(tmp_path, **{"flare.runs": ("lora",), "flare.max_length": 513}), "train")
    assert caught.value.hint == "shorten texts: --set flare.max_length=512"


def test_a_text_has_room_for_a_token_of_each_part():
    assert resolve(None, {"flare.max_length": 6}).flare.max_length == 6
    with pytest.raises(UsageError, match=r"flare\.max_length"):
        resolve(None, {"flare.max_length": 5})
