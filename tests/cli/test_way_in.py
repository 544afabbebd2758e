"""The way in as a user types it: from text in any layout to figures, each line as it was printed before."""

import gzip
import json
import re
import shlex
import shutil
import subprocess

import pytest
import torch
from sentencepiece import SentencePieceProcessor
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.vocabulary import train_vocabulary

CODES = {
    "en": "eng_Latn",
    "tr": "tur_Latn",
    "kk": "kaz_Cyrl",
    "eu": "eus_Latn",
    "uk": "ukr_Cyrl",
    "hu": "hun_Latn",
}
"""English and five languages outside the paper's tables, by the names that people and NLLB have for them."""
WORDS = {
    "en": ("the cat", "a dog", "my child", "sees the house", "reads a book", "goes to the river"),
    "tr": ("kedi", "bir köpek", "çocuğum", "evi görüyor", "kitap okuyor", "nehre gidiyor"),
    "kk": ("мысық", "бір ит", "балам", "үйді көреді", "кітап оқиды", "өзенге барады"),
    "eu": ("katuak", "txakurrak", "nire umeak", "etxea ikusten du", "liburua irakurtzen du", "ibaira doa"),
    "hu": ("a macska", "egy kutya", "a gyerekem", "látja a házat", "könyvet olvas", "a folyóhoz megy"),
    "uk": ("кіт", "один пес", "моя дитина", "бачить дім", "читає книгу", "іде до річки"),
}
SMALL = """
[fit]
epochs = 2
max_tokens = 400
accumulate = 1
[estimate_subspace]
start_epoch = 1
duration = 1
rank = 2
[data]
train_rows = 4
test_rows = 1
[train]
gps = 0.0
[evaluate]
beam = 1
max_new_tokens = 3
metrics = ["spBLEU"]
metric_model = "base"
[run]
device = "cpu"
threads = 1
"""


def line(code: str, row: int) -> str:
    subjects, predicates = WORDS[code][:3], WORDS[code][3:]
    return f"{subjects[row % 3]} {predicates[row // 3 % 3]} {row}"


def lines(code: str, first: int, last: int) -> str:
    return "".join(line(code, row) + "\n" for row in range(first, last))


def rows(first: int, last: int, form) -> str:
    return "".join(form({code: line(code, row) for code in CODES}) + "\n" for row in range(first, last))


def files(name: str, packed: bool = False):
    """What writes a file for each language and split, by the codes that people use or by NLLB's."""
    return {
        name.format(split=split, code=code, flores=CODES[code], upper=code.upper()): (
            gzip.compress(lines(code, *span).encode()) if packed else lines(code, *span)
        )
        for split, span in (("train", (0, 20)), ("test", (20, 26)))
        for code in CODES
    }


LAYOUTS = {
    "FLORES+": files("{split}/{split}.{flores}"),
    "Moses, packed": files("{split}.{code}.gz", packed=True),
    "files in upper case, no splits": {f"{code.upper()}.txt": lines(code, 0, 20) for code in CODES},
    "pairs with English": {
        f"en-{code}/{split}.{side}": lines(side, *span)
        for code in CODES
        if code != "en"
        for side in ("en", code)
        for split, span in (("train", (0, 20)), ("test", (20, 26)))
    },
    "a table": {
        "all.csv": "id;" + ";".join(CODES) + "\n" + rows(0, 20, lambda row: "1;" + ";".join(row.values()))
    },
    "objects, as Hugging Face has them": {
        "train.json": rows(0, 20, lambda row: json.dumps({"translation": row})),
        "validation.json": rows(20, 26, lambda row: json.dumps({"translation": row})),
    },
}


@pytest.fixture(scope="module")
def nllb(tmp_path_factory):
    """A tiny random model in the files of NLLB-200 before transformers 5."""
    folder = tmp_path_factory.mktemp("models") / "nllb"
    train_vocabulary({code: [line(code, row) for row in range(9)] for code in CODES}, 130, folder)
    for name in ("dict.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    pieces = len(SentencePieceProcessor(model_file=str(folder / SENTENCEPIECE)))
    added = {token: pieces + 1 + number for number, token in enumerate([*CODES.values(), "<mask>"])}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "NllbTokenizer"}')
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    feed_forward = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 24}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    torch.manual_seed(4)
    config = M2M100Config(vocab_size=max(added.values()) + 1, **sizes, **feed_forward, **heads)
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def run(lslo, typed: str):
    """Type a line, which must end well; what it printed on stderr, as one line."""
    words = shlex.split(typed)
    assert words.pop(0) == "lslo"
    result = lslo(*words)
    assert result.exit_code == 0, f"{typed}\n{result.output}"
    return " ".join(result.stderr.split())


def next_line(said: str) -> str:
    """The line that a command printed for what comes next."""
    return re.findall(r"next: (lslo .*)$", said)[-1]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_line_from_text_to_figure_is_typed_as_it_was_printed(lslo, write, nllb, layout, monkeypatch):
    folder = write({f"my text/{name}": content for name, content in layout.items()} | {"small.toml": SMALL})
    monkeypatch.setenv("LSLO_MODEL", str(nllb))
    monkeypatch.setenv("LSLO_RECIPE", "small.toml")
    typed = "lslo data check 'my text'"
    done = []
    while len(done) < 9 and "plot" not in done:
        done.append(shlex.split(typed)[1])
        typed = next_line(run(lslo, typed))
    assert done == ["data", "estimate-subspace", "train", "prune-report", "evaluate", "plot"]
    (evaluation,) = (folder / "out").glob("*/runs/2-4/evaluation.json")
    directions = json.loads(evaluation.read_text())["result"]["directions"]
    assert len(directions) == (10 if "en-tr/train.en" in layout else 30)
    assert list((folder / "out").glob("*/figures/*.png"))


@pytest.mark.skipif(not shutil.which("iconv"), reason="no iconv here")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text/train.uk", lines("uk", 0, 20).encode("cp1251")),
        ("text/train.tr", lines("tr", 0, 20).encode("cp1254")),
        ("text/train.en", "".join(f"“naïve” {n}\n" for n in range(20)).encode("cp1252")),
        ("text/my train.en", None),
        ("text/train.kk", lines("kk", 0, 20).encode("utf-16")),
        ("text/train.kk", lines("kk", 0, 20).encode("utf-16-be")),
        ("text/train.eu", lines("eu", 0, 20).replace("\n", "\r").encode()),
    ],
)
def test_the_line_that_a_problem_names_mends_it_where_it_was_typed(lslo, write, name, content):
    others = {f"text/train.{code}": lines(code, 0, 20) for code in CODES}
    if content is None:
        others = {f"text/my train.{code}": text for code, text in zip(CODES, others.values(), strict=True)}
        content = lines("en", 0, 20).replace("cat", "café").encode("latin1")
    folder = write(others | {name: content})
    result = lslo("data", "check", "text")
    assert result.exit_code == 3
    shown = " ".join(result.stdout.split())
    (mend,) = re.findall("`(.*?)`", shown)
    subprocess.run(mend, shell=True, check=True, cwd=folder)
    assert "usable; next: lslo" in run(lslo, "lslo data check text")


def test_a_refused_line_is_not_remembered(lslo, write, nllb, monkeypatch):
    text = {
        f"text/{split}.{code}": lines(code, 0, 6) for split in ("dev", "devtest") for code in ("en", "tr")
    }
    folder = write(text | {"small.toml": SMALL})
    monkeypatch.setenv("LSLO_RECIPE", "small.toml")
    for ranks in ("2,2,2,2", "0,0"):
        given = f"--langs en,tr --data text --name e1 --model {nllb} --gps 0 --ranks {ranks}"
        assert lslo("train", *given.split()).exit_code == 2
        assert not (folder / "out/e1/experiment.toml").exists()
    given = f"--langs en,tr --data text --name e1 --model {nllb}"
    for command in ("weight-learn", "estimate-subspace", "train"):
        assert lslo(command, *given.split(), "--directions", "en-xx").exit_code == 2
    assert lslo("estimate-subspace", *given.split(), "--index", "nofile.json").exit_code == 3
    assert not (folder / "out/e1/experiment.toml").exists()


def test_a_test_of_the_base_on_the_training_text_is_neither_remembered_nor_repeated(
    lslo, write, nllb, monkeypatch
):
    both = {"dev": (0, 20), "devtest": (20, 26)}
    text = {
        f"text/{split}.{code}": lines(code, *span) for split, span in both.items() for code in ("en", "tr")
    }
    folder = write(text | {"small.toml": SMALL})
    monkeypatch.setenv("LSLO_MODEL", str(nllb))
    monkeypatch.setenv("LSLO_RECIPE", "small.toml")
    given = "--langs en,tr --data text --name e1 --test dev"
    refused = lslo("train", *given.split(), "--dry-run")
    assert refused.exit_code == 2 and "would be both trained and tested on" in refused.stderr
    typed = next_line(run(lslo, f"lslo evaluate --run base {given}"))
    assert "--test" not in typed
    assert "data.test" not in (folder / "out/e1/experiment.toml").read_text()
    run(lslo, f"{typed} --ranks 2,2 --gps 0")
    (name,) = (path.name for path in (folder / "out/e1/runs").iterdir() if path.name != "base")
    again = lslo("evaluate", "--name", "e1", "--test", "dev", "--run", name, "--dry-run")
    assert again.exit_code == 2 and f"run '{name}' was trained on 'dev'" in again.stderr
