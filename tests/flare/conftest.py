"""Tiny random models of every architecture that FLARE knows, and one with a tokenizer and NusaX's files."""

from dataclasses import dataclass

import pytest
import torch
import transformers as hf

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.flare.examples import Example, Pairs
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.heads import Classifier
from lslo_cli.flare.prompted_model import PromptedModel
from lslo_cli.flare.source import Side
from lslo_cli.flare.tasks import TASKS
from lslo_cli.method.flare import Phi
from lslo_cli.recipe import resolve
from lslo_cli.tasks.experiment import Experiment

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
SMALL |= {"intermediate_size": 24, "pad_token_id": 0}
DECODER = {"num_key_value_heads": 1, "bos_token_id": 2, "eos_token_id": 3}
MAKERS = {
    "bert": lambda: hf.BertModel(hf.BertConfig(**SMALL)),
    "xlm-roberta": lambda: hf.XLMRobertaModel(hf.XLMRobertaConfig(**SMALL)),
    "mt5": lambda: hf.MT5ForConditionalGeneration(
        hf.MT5Config(
            vocab_size=50, d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2, decoder_start_token_id=0
        )
    ),
    "llama": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, **DECODER)),
    "gemma2": lambda: hf.Gemma2ForCausalLM(hf.Gemma2Config(**SMALL, **DECODER, head_dim=8)),
}


@dataclass(frozen=True)
class Stock:
    """An architecture by name: a tiny random model of it, and what it reads."""

    name: str

    @property
    def decodes_only(self) -> bool:
        return self.name in ("llama", "gemma2")

    @property
    def output_maps(self) -> int:
        """Linear maps that stand in no block: the pooler or the language model's head."""
        return 1

    def model(self) -> torch.nn.Module:
        """In eval mode. Weights are large enough for every layer to matter."""
        torch.manual_seed(0)
        model = MAKERS[self.name]().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0, 0.2)
        return model

    def inputs(self, seed: int = 1, length: int = 7) -> dict[str, torch.Tensor]:
        """Two texts, of which the second has two positions of padding, on the side of its kind of model."""
        ids = torch.randint(5, 50, (2, length), generator=torch.Generator().manual_seed(seed))
        mask = torch.ones_like(ids)
        mask[1, slice(0, 2) if self.decodes_only else slice(length - 2, length)] = 0
        inputs = {"input_ids": ids * mask, "attention_mask": mask}
        if self.name == "mt5":
            inputs["decoder_input_ids"] = ids[:, :4]
        return inputs

    def output(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        result = model(**inputs)
        return result.logits if "logits" in result else result.last_hidden_state


@pytest.fixture(params=list(MAKERS))
def stock(request) -> Stock:
    """Every architecture."""
    return Stock(request.param)


@pytest.fixture
def xlmr() -> Stock:
    """The encoder of the paper's main results."""
    return Stock("xlm-roberta")


@pytest.fixture(params=["llama", "gemma2"])
def decoder(request) -> Stock:
    """The decoder-only models."""
    return Stock(request.param)


class Numbers:
    """A tokenizer whose words are numbers: 1 begins a text, 2 ends its parts, any other word is 4."""

    pad_token_id, eos_token_id = 0, 3

    def __call__(self, first, second=None, max_length=None, add_special_tokens=None, **_):
        parts = [self._ids(part) for part in (first, second) if part]
        if add_special_tokens is None:  # an encoder's
            return {"input_ids": [1, *(i for part in parts for i in (*part, 2))][:max_length]}
        return {"input_ids": [1, *parts[0]] if add_special_tokens else parts[0]}

    def batch_decode(self, rows, skip_special_tokens):
        return [" ".join(str(int(i)) for i in row if i > 4) for row in rows]

    @staticmethod
    def _ids(text):
        return [int(word) if word.isdecimal() else 4 for word in text.split()]


PAIRS = Pairs(
    source=(
        Example("1", "10 11 12 13 14 15", 0), Example("2", "13", 1), Example("3", "14 15", 2),
        Example("4", "16 17 18", 1),
    ),
    target=(
        Example("1", "20", 0), Example("2", "21 22 23 24 25 26", 1), Example("3", "24 25", 2),
        Example("4", "26 27 28", 1),
    ),
)  # fmt: skip
"""Rows of unequal length, whose source is longer than the target, shorter, or as long."""


@dataclass(frozen=True)
class Family:
    """A task model of one architecture as ``lslo flare`` loads it: an encoder with a head, or prompted."""

    name: str

    def model(self):
        """Tiny and random. Attention is eager: what padding sees of padding must not reach an answer."""
        backbone = Stock(self.name).model()
        if self.name == "mt5":
            full, backbone = backbone, hf.MT5EncoderModel(backbone.config).eval()
            backbone.load_state_dict(
                {k: v for k, v in full.state_dict().items() if k in backbone.state_dict()}
            )
        backbone.set_attn_implementation("eager")
        if Stock(self.name).decodes_only:
            return PromptedModel(backbone, Numbers(), Side.LEFT, TASKS["nusax"], answer_tokens=4)
        torch.manual_seed(1)
        return HeadModel(backbone, Numbers(), Side.RIGHT, Classifier(16, 3, dropout=0.0))

    def functions(self):
        """The fusion functions that it can take."""
        causal = Stock(self.name).decodes_only
        return [phi for phi in Phi if not (causal and phi is Phi.CROSS_ATTENTION)]


@pytest.fixture(params=list(MAKERS))
def family(request) -> Family:
    """Every architecture as a task model."""
    return Family(request.param)


def trained(adapters, size: float = 0.5):
    """Adapters whose B is no longer zero, large enough for their source to be seen in the output."""
    generator = torch.Generator().manual_seed(5)
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_(0, size, generator=generator)
    return adapters


LABELS = ("negative", "neutral", "positive")
WORDS = {
    "english": ("bad", "so", "good"),
    "javanese": ("ala", "lan", "apik"),
    "sundanese": ("awon", "sae", "x"),
}


@pytest.fixture(scope="session")
def nusax_model(tmp_path_factory):
    """A folder with a tiny encoder in ``model`` and invented texts in NusaX's files in ``nusax``."""
    folder = tmp_path_factory.mktemp("nusax-model")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sum(WORDS.values(), ())]
    model = folder / "model"
    torch.manual_seed(0)
    config = hf.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
    )
    hf.BertModel(config).save_pretrained(model)
    (model / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    hf.BertTokenizerFast(str(model / "vocab.txt")).save_pretrained(model)
    for language, words in WORDS.items():
        for split, rows in (("train", 24), ("valid", 6), ("test", 9)):
            path = folder / "nusax" / language / f"{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{n},{words[n % 3]} {words[1]},{LABELS[n % 3]}" for n in range(rows)]
            path.write_text("id,text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def quick_flare(nusax_model):
    """Experiments on one seed and one language that take seconds, by folder and what is changed in them."""
    settings = {
        "flare.task": "nusax",
        "flare.data": str(nusax_model / "nusax"),
        "flare.model": str(nusax_model / "model"),
        "flare.languages": ("jv",),
        "flare.seeds": (1,),
        "flare.rank": 2,
        "flare.max_length": 8,
        "flare.epochs": 1,
        "flare.batch_size": 8,
        "run.device": "cpu",
        "run.threads": 1,
    }

    def experiment(folder, **changes):
        return Experiment(resolve(None, {**settings, **changes}), ExperimentFolder(folder), "lslo flare")

    return experiment
