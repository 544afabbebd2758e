import numpy as np
import pytest

from lslo_cli.method.languages import Direction
from lslo_cli.search.stream import TranslationBatches

LANGUAGES = ("wo", "en", "fr")
EN_FR, EN_WO, FR_WO = Direction("en", "fr"), Direction("en", "wo"), Direction("fr", "wo")


@pytest.fixture
def stream(words):
    def stream(sentences, **changes):
        return TranslationBatches(
            sentences, words, LANGUAGES, **{"max_tokens": 60, "max_length": 50, **changes}
        )

    return stream


@pytest.fixture
def sentences():
    generator = np.random.default_rng(0)
    english = [" ".join([f"en{row}"] * n) for row, n in enumerate(generator.integers(0, 20, size=60))]
    french = [" ".join([f"fr{row}"] * n) for row, n in enumerate(generator.integers(1, 20, size=30))]
    return {EN_FR: english, EN_WO: english, FR_WO: french}


def test_every_sentence_is_in_one_batch_with_its_language_and_its_prompt(stream, sentences, words):
    seen = []
    for batch in stream(sentences):
        assert batch.input_ids.numel() <= 60
        for index, (direction, row) in enumerate(batch.keys):
            ids = batch.input_ids[index][batch.attention_mask[index].bool()].tolist()
            text = sentences[direction][row]
            assert ids == words.source_ids(words.encode(text), direction.src, direction.tgt)
            assert batch.prompt_ids[index].tolist() == words.decoder_prompt(direction.src, direction.tgt)
            assert LANGUAGES[batch.source_language[index]] == direction.src
            assert LANGUAGES[batch.target_language[index]] == direction.tgt
        seen += batch.keys
    expected = [(d, row) for d, lines in sentences.items() for row, text in enumerate(lines) if text]
    assert sorted(seen, key=str) == sorted(expected, key=str)
    assert len(expected) < 150  # some sources are empty


def test_translations_return_to_the_place_of_their_sources(stream, sentences):
    batches = stream(sentences)
    translated = [((d, row), f"{d} {sentences[d][row]}") for batch in batches for d, row in batch.keys]
    expected = {d: [f"{d} {text}" if text else "" for text in lines] for d, lines in sentences.items()}
    assert batches.in_order(reversed(translated)) == expected


def test_a_forgotten_sentence_is_noticed(stream):
    batches = stream({EN_FR: ["a", "", "b"]})
    with pytest.raises(ValueError, match="not translated: 1 sentence, such as row 2 of en-fr"):
        batches.in_order([((EN_FR, 0), "x")])


def test_empty_sources_translate_to_empty_lines(stream):
    batches = stream({EN_FR: ["", " \t", "a", ""], FR_WO: [""], EN_WO: []})
    assert [batch.keys for batch in batches] == [((EN_FR, 2),)]
    assert batches.in_order([((EN_FR, 2), "x")]) == {EN_FR: ["", "", "x", ""], FR_WO: [""], EN_WO: []}
    assert len(stream({EN_FR: [""]})) == 0


def test_a_source_without_pieces_is_empty(words, stream, monkeypatch):
    """Such as one of invisible characters, which the segmenter drops."""
    encode = type(words).encode
    monkeypatch.setattr(type(words), "encode", lambda self, text: encode(self, text.replace("\u200b", "")))
    batches = stream({EN_FR: ["\u200b", "a"], FR_WO: ["\u200b"]})
    assert [batch.keys for batch in batches] == [((EN_FR, 1),)]
    assert batches.in_order([((EN_FR, 1), "x")]) == {EN_FR: ["", "x"], FR_WO: [""]}


def test_the_longest_sentences_come_first(stream, sentences):
    widths = [batch.input_ids.shape[1] for batch in stream(sentences)]
    assert widths == sorted(widths, reverse=True)


def test_a_long_source_is_cut_before_its_closing_token_and_counted(stream, words):
    batches = stream({EN_FR: ["a b c d e f", "g"], EN_WO: ["a b c d e f"]}, max_length=5)
    assert batches.truncated == 2
    expected = words.source_ids(words.encode("a b c"), "en", "fr")
    assert batches[0].input_ids[0].tolist() == expected


def test_a_sentence_wider_than_the_budget_is_translated_alone(stream):
    assert [len(batch) for batch in stream({EN_FR: ["a b c d e f", "g", "h"]}, max_tokens=6)] == [1, 2]


def test_a_source_is_tokenised_once_for_all_targets(stream, words):
    stream({EN_FR: ["a", "b"], EN_WO: ["a", "b"]})
    assert sorted(words.encoded) == ["a", "b"]


def test_rows_of_one_target_language_stand_together_in_the_order_of_the_languages(stream, sentences):
    for batch in stream(sentences):
        rows = list(zip(batch.target_language.tolist(), batch.source_language.tolist(), strict=True))
        assert rows == sorted(rows)
