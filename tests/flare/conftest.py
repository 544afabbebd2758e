"""Tiny random models of every architecture that FLARE knows."""

from dataclasses import dataclass

import pytest
import torch
import transformers as hf

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
