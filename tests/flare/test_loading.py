"""Task models from folders: whole ones load, damaged ones are refused in a line."""

import pickle

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare.loading import load_task_model
from lslo_cli.flare.tasks import TASKS

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]


def tokenizer(folder):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    hf.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)


@pytest.fixture
def folder(tmp_path):
    config = hf.BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    hf.BertModel(config).save_pretrained(tmp_path)
    tokenizer(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("config", "model"), [(hf.T5Config, hf.T5Model), (hf.MT5Config, hf.MT5Model)])
def test_t5_and_mt5_read_with_their_encoder(tmp_path, config, model):
    model(config(vocab_size=7, d_model=8, d_kv=4, d_ff=8, num_layers=2, num_heads=2)).save_pretrained(
        tmp_path
    )
    tokenizer(tmp_path)
    loaded = load_task_model(str(tmp_path), TASKS["nusax"])
    inputs = {"input_ids": torch.tensor([[5, 6]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)}
    logits, _ = loaded.read(inputs)
    assert logits.shape == (1, 3)
    assert not any(name.startswith("decoder") for name, _ in loaded.backbone.named_parameters())


def test_a_tokenizer_without_the_positions_of_tokens_is_refused_where_answers_are_spans(tmp_path):
    config = hf.T5Config(vocab_size=384, d_model=8, d_kv=4, d_ff=8, num_layers=2, num_heads=2)
    hf.T5Model(config).save_pretrained(tmp_path)
    hf.ByT5Tokenizer().save_pretrained(tmp_path)
    assert load_task_model(str(tmp_path), TASKS["nusax"])
    with pytest.raises(UsageError, match="lacks the positions of tokens") as caught:
        load_task_model(str(tmp_path), TASKS["tydiqa"])
    assert caught.value.hint == "choose a task with labels, or another --model"


def change(folder, changed):
    tensors = load_file(folder / "model.safetensors")
    save_file(changed(tensors), folder / "model.safetensors", {"format": "pt"})


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


def objects(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"x": Exception("mine")}))


def no_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


def no_config(folder):
    (folder / "config.json").write_text("{", encoding="utf-8")


def lacking(folder):
    change(folder, lambda tensors: {k: v for k, v in tensors.items() if "query" not in k})


def not_finite(folder):
    change(folder, lambda tensors: {k: v * torch.nan for k, v in tensors.items()})


def more_words(folder):
    VOCABULARY_8 = [*VOCABULARY, "so"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY_8), encoding="utf-8")
    hf.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (cut, "cannot load the task model"),
        (objects, "cannot load the task model"),
        (no_tokenizer, "cannot load the task model"),
        (no_config, "cannot load the task model"),
        (lacking, "lack 2 of the model's tensors"),
        (not_finite, "are not finite"),
        (more_words, "has 8 tokens, its model 7"),
    ],
)
def test_a_damaged_model_is_refused_in_one_line(folder, damage, complaint):
    load_task_model(str(folder), TASKS["nusax"])
    damage(folder)
    with pytest.raises(InputError, match=complaint) as caught:
        load_task_model(str(folder), TASKS["nusax"])
    assert "\n" not in caught.value.message and str(folder) in caught.value.message
