"""Words added to a tokenizer have transformers' ids, or are refused by name."""

import json
import shutil

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer, M2M100Tokenizer

from lslo_cli.errors import InputError
from lslo_cli.method.families import FAMILIES
from lslo_cli.models.base import load_base, new_base, save_base
from lslo_cli.models.piece_tokenizer import PieceTokenizer
from lslo_cli.models.segmentation import FastSegmenter, SentencePiece
from lslo_cli.models.stock_check import check_words
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import DICTIONARY, FAMILY, SPECIALS
from lslo_cli.recipe import BaseSection

WORDS = [
    "ә",
    "zebra",
    AddedToken("<left>", lstrip=True),
    AddedToken("<right>", rstrip=True),
    AddedToken("<raw>", normalized=False),
    AddedToken("dog", single_word=True),
    AddedToken("<news>", special=True),
]
LINES = [
    "the cat sees ә zebra house",
    "zebra",
    "thezebracat ә",
    "<news> a cat <left> sees <right> the <raw> house",
    "a dog sees dogs, adog and dog house",
    "ә ә zebrazebra the  cat",
]


def _added(folder, tokenizer):
    tokenizer.add_tokens(WORDS)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _ids(tokenizer, line):
    return tokenizer(line, add_special_tokens=False).input_ids


@pytest.mark.parametrize("family", ["nllb-200", "mbart-50", "madlad-400"])
def test_words_beside_a_sentencepiece_model_have_the_ids_of_transformers(tmp_path, write_model, family):
    model = write_model(tmp_path / "model", family)
    read = load_base(str(model)).tokenizer
    read.save(tmp_path / "saved")
    stock = _added(tmp_path / "added", AutoTokenizer.from_pretrained(tmp_path / "saved"))
    (tmp_path / "added" / read.segmenter.name).write_bytes(read.segmenter.content)
    if family == "madlad-400":
        (tmp_path / "added" / "sentencepiece.bpe.model").rename(tmp_path / "added" / "spiece.model")
        config = json.loads((model / "config.json").read_text())
        again = PieceTokenizer.read(tmp_path / "added", FAMILIES[family], config)
    else:
        again = Tokenizer.load(tmp_path / "added")
    assert again.languages == read.languages
    assert [again.encode(line) for line in LINES] == [_ids(stock, line) for line in LINES]


@pytest.fixture(params=["languages listed", "words alone"])
def m2m(request, tmp_path, write_model):
    """An M2M-100 with words after its languages, as versions of transformers 4 save it."""
    folder = write_model(tmp_path / "m2m", "m2m-100")
    return _with_words(folder, WORDS, has_languages=request.param == "languages listed")


def _with_words(folder, words, has_languages=True):
    first = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    names = [f"__{code}__" for code in FAMILIES["m2m-100"].languages] + [str(word) for word in words]
    ids = {name: first + number for number, name in enumerate(names)}
    if not has_languages:
        names = [str(word) for word in words]
        ids = {name: ids[name] for name in names}
    (folder / "added_tokens.json").write_text(json.dumps(ids), encoding="utf-8")
    flags = {word.content: word for word in words if isinstance(word, AddedToken)}
    settings = {
        ids[name]: {"content": name}
        | {
            key: getattr(flags.get(name, AddedToken(name)), key)
            for key in ("lstrip", "rstrip", "normalized", "single_word", "special")
        }
        for name in names
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": settings}))
    return folder


def test_words_of_m2m_100_split_a_text_before_its_sentencepiece_model(m2m, tmp_path):
    stock = M2M100Tokenizer.from_pretrained(m2m, src_lang="en")
    read = Tokenizer.load(m2m)
    wanted = [_ids(stock, line) for line in LINES]
    assert [read.encode(line) for line in LINES] == wanted
    assert read.language_id("fr") == stock.get_lang_id("fr")
    assert read.segmenter.split("a zebra") == ["▁a", "zebra"]
    read.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert again.digest == read.digest and [again.encode(line) for line in LINES] == wanted


def test_what_is_saved_of_m2m_100_gives_the_words_the_same_ids_in_transformers(tmp_path, write_model):
    words = [word for word in WORDS if not getattr(word, "single_word", False)]
    model = _with_words(write_model(tmp_path / "m2m", "m2m-100"), words)
    own = M2M100Tokenizer.from_pretrained(model, src_lang="en")
    read = Tokenizer.load(model)
    read.save(tmp_path / "saved")
    shutil.copy(model / "config.json", tmp_path / "saved")
    stock = AutoTokenizer.from_pretrained(tmp_path / "saved", src_lang="__en__")
    around = ["the zebra.", "(zebra)", "zebra, the", "the  <left>  cat", "the<right> cat", "the <raw>the"]
    for line in (*LINES, *around):
        assert stock(line).input_ids == own(line).input_ids, line
    again = Tokenizer.load(tmp_path / "saved")
    assert again.segmenter.words == read.segmenter.words
    files = read.stock_files()
    altered = json.loads(files["tokenizer.json"])
    altered["added_tokens"][-1]["lstrip"] = False
    files["tokenizer.json"] = json.dumps(altered).encode()
    with pytest.raises(InputError, match="no tokenizer.json gives .* with the added token '<news>'"):
        check_words(files, read.segmenter, read.tokens)


def test_words_that_only_m2m_100_splits_at_are_saved_for_lslo_alone(m2m, tmp_path):
    read = Tokenizer.load(m2m)
    with pytest.raises(InputError, match="no tokenizer.json gives .* with the added token 'dog'") as caught:
        read.stock_files()
    assert "without single_word" in caught.value.hint
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "tokenizer.json").write_text("of an earlier model")
    read.save(saved)
    assert {path.name for path in saved.iterdir()} == {"sentencepiece.bpe.model", DICTIONARY, FAMILY}
    assert Tokenizer.load(saved).segmenter.words == read.segmenter.words


def test_a_model_saved_over_another_keeps_none_of_its_files_for_transformers(m2m, tmp_path):
    read = Tokenizer.load(m2m)
    plain = Tokenizer(SentencePiece(read.segmenter.content), read.tokens[len(SPECIALS) :], family=read.family)
    shape = BaseSection(encoder_layers=1, decoder_layers=1, d_model=16, ffn_dim=24, heads=2, dropout=0.0)
    save_base(new_base(plain, shape, seed=1), tmp_path / "model")
    assert (tmp_path / "model" / "tokenizer.json").is_file()
    save_base(new_base(read, shape, seed=1), tmp_path / "model")
    assert not list((tmp_path / "model").glob("tokenizer*"))
    assert load_base(str(tmp_path / "model")).tokenizer.digest == read.digest


def test_unknown_text_that_is_normalized_to_a_word_is_the_word(tmp_path, write_model):
    words = ["é", "&", "zebra"]
    model = _with_words(write_model(tmp_path / "m2m", "m2m-100"), words)
    stock, read = M2M100Tokenizer.from_pretrained(model, src_lang="en"), Tokenizer.load(model)
    lines = ["the e\u0301 cat", "e\u0301", "na e\u0301 a", "cafe\u0301 the", "the \uff06 cat", "the % cat"]
    assert [read.encode(line) for line in lines] == [_ids(stock, line) for line in lines]
    assert read.tokens[read.encode(lines[0])[2]] == "é"


@pytest.mark.parametrize("family", ["nllb-200", "mbart-50", "m2m-100"])
def test_the_spaces_of_a_word_are_decoded_as_transformers_decodes_them(tmp_path, write_model, family):
    model = write_model(tmp_path / "model", family)
    words = ["new york", AddedToken("x y", single_word=True)]
    if family == "m2m-100":
        stock = M2M100Tokenizer.from_pretrained(_with_words(model, words), src_lang="en")
        read = Tokenizer.load(model)
    else:
        base = load_base(str(model)).tokenizer
        base.save(tmp_path / "saved")
        stock = AutoTokenizer.from_pretrained(tmp_path / "saved")
        stock.add_tokens(words)
        stock.save_pretrained(tmp_path / "added")
        (tmp_path / "added" / base.segmenter.name).write_bytes(base.segmenter.content)
        read = Tokenizer.load(tmp_path / "added")
    for line in ("the new york cat", "new york", "the x y", "new york new york house", "the cat sees"):
        ids = _ids(stock, line)
        assert read.decode(ids) == stock.decode(ids), line
    assert "new york" in read.decode(read.encode("the new york cat"))


def test_words_with_the_ids_of_languages_are_refused(tmp_path, write_model):
    model = write_model(tmp_path / "model", "m2m-100")
    _added(tmp_path / "added", M2M100Tokenizer.from_pretrained(model))
    with pytest.raises(
        InputError, match=r"the added token '.+' has the id \d+, as has the language token '__"
    ):
        Tokenizer.load(tmp_path / "added")


def test_words_that_no_file_says_how_to_split_at_are_refused(tmp_path, write_model):
    model = write_model(tmp_path / "model", "mbart-50")
    rows = len(load_base(str(model)).tokenizer.tokens)
    (model / "added_tokens.json").write_text(json.dumps({"zebra": rows}))
    with pytest.raises(InputError, match="no tokenizer.json says how .* added tokens zebra"):
        Tokenizer.load(model)


def test_words_that_dict_txt_lacks_are_refused(tmp_path, write_model):
    load_base(str(write_model(tmp_path / "model", "nllb-200"))).tokenizer.save(tmp_path / "saved")
    _added(tmp_path / "saved", AutoTokenizer.from_pretrained(tmp_path / "saved"))
    with pytest.raises(InputError, match="the dictionary lacks the added tokens"):
        Tokenizer.load(tmp_path / "saved")
    for name in (DICTIONARY, FAMILY):
        (tmp_path / "saved" / name).unlink()
    assert isinstance(Tokenizer.load(tmp_path / "saved").segmenter, FastSegmenter)


def test_a_tokenizer_json_need_not_write_its_type_nor_added_tokens():
    vocabulary = [["<unk>", 0.0], ["▁a", -1.0], ["▁b", -2.0]]
    content = {"model": {"unk_id": 0, "vocab": vocabulary}, "pre_tokenizer": {"type": "Metaspace"}}
    pre = {"replacement": "▁", "prepend_scheme": "always", "split": False}
    content["pre_tokenizer"] |= pre
    assert FastSegmenter(json.dumps(content).encode()).encode("a b") == [1, 2]


def test_symbols_of_the_sentencepiece_model_itself_need_no_tokenizer_json(tmp_path, write_model):
    model = write_model(tmp_path / "model", "madlad-400")
    settings = {"tokenizer_class": "T5Tokenizer", "added_tokens_decoder": {"3": {"content": "<2en>"}}}
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    segmenter = load_base(str(model)).tokenizer.segmenter
    assert segmenter.name == "sentencepiece.bpe.model"
    assert segmenter.keeps("<2en>") and not segmenter.keeps("▁the") and not segmenter.keeps("2en>")
