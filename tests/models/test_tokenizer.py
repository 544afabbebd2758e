"""Tokenizer and vocabulary: ids by dictionary, language tokens, fairseq's joining, files of three kinds."""

import copy
import json
import shutil

import pytest
from sentencepiece import SentencePieceProcessor

from lslo_cli.errors import InputError, UsageError
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import DICTIONARY
from lslo_cli.models.vocabulary import sample_sizes, train_vocabulary

TEXT = {
    "en": ["the cat sees the small house", "a dog sleeps in the house", "the small dog sees a cat", ""],
    "fr": ["le chat voit la petite maison", "", "le petit chien voit un chat", "un chien dort"],
    "wo": ["muus gi gis na kër gu ndaw", "", "", ""],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    train_vocabulary(TEXT, 60, folder)
    return folder


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def tokenizer(folder):
    return Tokenizer.load(folder)


def test_ids_are_four_specials_then_the_dictionary_then_the_languages_in_order(tokenizer, folder):
    lines = (folder / DICTIONARY).read_text(encoding="utf-8").splitlines()
    assert [line.split(" ")[0] for line in lines[-3:]] == ["__en__", "__fr__", "__wo__"]
    assert tokenizer.vocab_size == 4 + len(lines) == 60 + 1 + 3
    assert [tokenizer.language_id(code) for code in ("en", "fr", "wo")] == [61, 62, 63]
    assert tokenizer.languages == ("en", "fr", "wo")
    assert (tokenizer.pad_id, tokenizer.eos_id, tokenizer.unk_id) == (1, 2, 3)


def test_a_piece_has_the_id_of_its_place_in_the_dictionary_not_of_its_place_in_sentencepiece(copied):
    lines = (copied / DICTIONARY).read_text(encoding="utf-8").splitlines()
    shuffled = sorted(lines, key=lambda line: line[::-1])
    (copied / DICTIONARY).write_text("\n".join(shuffled) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.load(copied)
    sentencepiece = SentencePieceProcessor(model_file=str(copied / SENTENCEPIECE))
    pieces = sentencepiece.encode(TEXT["en"][0], out_type=str)
    place = {line.rsplit(" ", 1)[0]: 4 + row for row, line in enumerate(shuffled)}
    assert tokenizer.encode(TEXT["en"][0]) == [place[piece] for piece in pieces]
    assert tokenizer.language_id("fr") == place["__fr__"]


def test_text_survives_encoding_and_decoding(tokenizer):
    for line in (line for lines in TEXT.values() for line in lines):
        assert tokenizer.decode(tokenizer.encode(line)) == line


def test_sequences_follow_the_language_token_scheme(tokenizer):
    en, fr = tokenizer.language_id("en"), tokenizer.language_id("fr")
    assert tokenizer.source_ids([10, 11], "en", "fr") == [en, 10, 11, 2]
    assert tokenizer.target_ids([10, 11], "en", "fr") == [fr, 10, 11, 2]
    assert tokenizer.decoder_prompt("en", "fr") == [2, fr]


def test_specials_and_language_tokens_are_left_out_of_text_and_unknown_pieces_are_shown(tokenizer):
    cat = tokenizer.encode("cat")
    wrapped = [2, tokenizer.language_id("fr"), *cat, 3, *cat, 2, 1, 1]
    assert tokenizer.decode(wrapped) == "cat<unk> cat"
    assert tokenizer.unk_id in tokenizer.encode("cat ЖЖ")
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""


def test_an_unknown_language_is_refused_with_the_nearest_code(tokenizer):
    with pytest.raises(UsageError, match=r"'frr'\. Did you mean 'fr'") as caught:
        tokenizer.language_id("frr")
    assert "en, fr, wo" in caught.value.hint


def test_a_saved_tokenizer_is_the_same_one(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert again.digest == tokenizer.digest and len(again.digest) == 64
    assert again.encode(TEXT["fr"][0]) == tokenizer.encode(TEXT["fr"][0])
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        *(DICTIONARY, SENTENCEPIECE, "tokenizer.json", "tokenizer_config.json")
    }


def test_saving_over_a_file_is_one_clear_error(tokenizer, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        tokenizer.save(tmp_path / "taken")


def test_language_tokens_that_a_dictionary_lacks_are_appended_in_order(copied):
    lines = (copied / DICTIONARY).read_text(encoding="utf-8").splitlines()
    (copied / DICTIONARY).write_text("\n".join(lines[:-3]) + "\n", encoding="utf-8")
    assert Tokenizer.load(copied).languages == ()
    tokenizer = Tokenizer.load(copied, languages=("wo", "en"))
    assert (tokenizer.language_id("en"), tokenizer.language_id("wo")) == (61, 62)
    assert tokenizer.vocab_size == 63


def test_the_files_of_the_hub_give_the_same_tokenizer(copied, tokenizer):
    as_on_the_hub(copied)
    assert not (copied / DICTIONARY).exists()
    from_hub = Tokenizer.load(copied)
    assert from_hub.digest == tokenizer.digest
    assert from_hub.language_id("wo") == tokenizer.language_id("wo")


def test_hub_files_whose_ids_have_holes_are_refused(copied):
    as_on_the_hub(copied)
    added = json.loads((copied / "added_tokens.json").read_text())
    moved = {token: index + 1 for token, index in added.items()}
    (copied / "added_tokens.json").write_text(json.dumps(moved))
    with pytest.raises(InputError, match="are not 0 to 63"):
        Tokenizer.load(copied)


def test_hub_files_without_added_tokens_are_those_of_m2m_100(copied):
    as_on_the_hub(copied)
    (copied / "added_tokens.json").unlink()
    tokenizer = Tokenizer.load(copied)
    assert tokenizer.family.name == "M2M-100"
    assert len(tokenizer.languages) == 100 and tokenizer.language_id("af") == 61


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (SENTENCEPIECE, b"", r"\(0 bytes\) cannot be read: it is empty"),
        (SENTENCEPIECE, b"no model at all", r"\(15 bytes\) cannot be read"),
        (DICTIONARY, b"a 1\nb\n", "line 2: 'b' is not a piece and its count"),
        (DICTIONARY, b"a 1\na 1\n", "lists 'a' twice"),
        (DICTIONARY, b"a 1\n\xff\xfe\n", "line 2"),
        (DICTIONARY, b"", "line 1"),
        (DICTIONARY, b"<0x00> 1\n", "has byte fallback"),
    ],
)
def test_a_damaged_file_is_one_clear_error(copied, name, content, message):
    (copied / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Tokenizer.load(copied)
    assert str(copied) in caught.value.message and caught.value.hint


@pytest.mark.parametrize("name", [SENTENCEPIECE, DICTIONARY])
def test_a_missing_file_is_named_with_what_is_there(copied, name):
    for missing in (name, "tokenizer.json"):
        (copied / missing).unlink()
    with pytest.raises(InputError, match=f"no {name} in .* it holds"):
        Tokenizer.load(copied)


def test_training_a_vocabulary_twice_gives_the_same_files(folder, tmp_path):
    train_vocabulary(TEXT, 60, tmp_path)
    for name in (SENTENCEPIECE, DICTIONARY):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_vocabulary_can_have_languages_without_text(tmp_path):
    assert train_vocabulary(TEXT, 60, tmp_path, languages=("de", "en")).languages == ("de", "en")


def test_a_vocabulary_too_large_for_its_text_is_refused_with_the_largest_size_that_works(tmp_path):
    with pytest.raises(InputError, match="5,000 pieces is too large") as caught:
        train_vocabulary(TEXT, 5000, tmp_path / "large")
    largest = int(caught.value.hint.removeprefix("ask for at most "))
    assert train_vocabulary(TEXT, largest, tmp_path / "fits").vocab_size == largest + 1 + 3
    assert not (tmp_path / "large").exists()


def test_a_vocabulary_too_small_for_the_characters_is_refused_with_the_smallest_size(tmp_path):
    with pytest.raises(InputError, match="10 pieces is too small") as caught:
        train_vocabulary(TEXT, 10, tmp_path / "small")
    smallest = int(caught.value.hint.removeprefix("ask for at least "))
    assert train_vocabulary(TEXT, smallest, tmp_path / "fits").vocab_size == smallest + 1 + 3


def test_a_vocabulary_needs_text(tmp_path):
    with pytest.raises(InputError, match="every line is empty"):
        train_vocabulary({"en": ["", "  "]}, 60, tmp_path)


def test_samples_are_balanced_by_temperature():
    assert sample_sizes({"en": 8000, "wo": 1000, "or": 0}, 300, 3.0) == {"en": 200, "wo": 100}
    assert sample_sizes({"en": 8000, "wo": 1000}, 900, 1.0) == {"en": 800, "wo": 100}
    assert sum(sample_sizes({"en": 30, "wo": 10}, 1000, 5.0).values()) == 40


def as_on_the_hub(folder):
    """Turn dict.txt into vocab.json and added_tokens.json, which the 124-language models have on the hub."""
    lines = (folder / DICTIONARY).read_text(encoding="utf-8").splitlines()
    pieces = [line.rsplit(" ", 1)[0] for line in lines]
    ids = {piece: index for index, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    languages = {piece: index for piece, index in ids.items() if piece.startswith("__")}
    plain = {piece: index for piece, index in ids.items() if piece not in languages}
    (folder / "vocab.json").write_text(json.dumps(plain), encoding="utf-8")
    (folder / "added_tokens.json").write_text(json.dumps(languages), encoding="utf-8")
    for name in (DICTIONARY, "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


@pytest.mark.parametrize("piece", ["\n", "\r", "\u2028", "\x85"])
def test_a_line_break_in_a_piece_becomes_a_space(tokenizer, piece):
    ids = tokenizer.encode(next(iter(TEXT.values()))[0])
    broken = copy.copy(tokenizer)
    broken.tokens = [*tokenizer.tokens, piece]
    text = tokenizer.decode(ids)
    assert broken.decode([*ids, len(tokenizer.tokens), *ids]) == f"{text} {text}"
