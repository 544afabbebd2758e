"""What CONTRIBUTING.md says of additions: a family is one entry, an architecture one class and one line."""

import json
import shutil

import pytest
import torch
from transformers import MT5Config, MT5ForConditionalGeneration

from lslo_cli import architectures
from lslo_cli.architectures.t5 import T5
from lslo_cli.method.families import FAMILIES, Family
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import KINDS
from lslo_cli.method.strategy import Index
from lslo_cli.models.base import load_base
from lslo_cli.models.base_info import base_facts
from lslo_cli.models.decoder import IncrementalDecoder
from lslo_cli.models.model_languages import WORLD_FOLDER
from lslo_cli.nn.route import Route


def test_a_family_is_one_entry(tmp_path, monkeypatch):
    tokens = (WORLD_FOLDER / "dict.txt").read_text(encoding="utf-8").splitlines()
    languages = tuple(line.split()[0].strip("_") for line in tokens if line.startswith("__"))
    family = Family(
        "Isles",
        "m2m_100",
        languages,
        "__{}__",
        "[a-z]+",
        sizes={"isles-small": ModelShape(3, 3, 64, 256, 1013, 800_000)},
        tokenizers=("IslesTokenizer",),
        encoder_language=Index.TARGET,
    )
    monkeypatch.setitem(FAMILIES, "isles", family)
    folder = tmp_path / "isles"
    shutil.copytree(WORLD_FOLDER, folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "IslesTokenizer"}))
    base = load_base(str(folder))
    assert base.tokenizer.family is family and base.tokenizer.languages == languages
    assert base_facts(str(folder)).family == "Isles"
    src, tgt = languages[:2]
    assert base.tokenizer.source_ids([9], src, tgt)[0] == base.tokenizer.language_id(tgt)


class MT5(T5):
    """An architecture that differs from T5 in transformers' class, and scales nothing before the head."""

    model_type = "mt5"
    network = MT5ForConditionalGeneration

    def head_input(self, model, hidden):
        return hidden


def test_an_architecture_is_one_class_and_one_line(monkeypatch):
    monkeypatch.setitem(architectures.TRANSLATION, "mt5", MT5())
    torch.manual_seed(3)
    config = MT5Config(
        vocab_size=30, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    model = MT5ForConditionalGeneration(config).eval().requires_grad_(False)
    ids, mask, none = torch.tensor([[5, 6, 7, 1]]), torch.ones(1, 4, dtype=torch.long), torch.zeros(1).long()
    decoder = IncrementalDecoder(model, ids, mask, Route(), (none, none))
    hidden = [decoder.read_prompt(torch.tensor([[0]]))]
    hidden += [decoder.read(torch.tensor([[token]]), torch.tensor([[0]])) for token in (9, 8, 9)]
    whole = model(input_ids=ids, attention_mask=mask, decoder_input_ids=torch.tensor([[0, 9, 8, 9]]))
    torch.testing.assert_close(model.lm_head(torch.cat(hidden, dim=1)), whole.logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", architectures.TRANSLATION)
def test_every_architecture_says_where_all_sites_are(name):
    matrices = architectures.TRANSLATION[name].layout.matrices
    assert {stack: set(kinds) for stack, kinds in KINDS.items()} == {
        stack: set(names) for stack, names in matrices.items()
    }
