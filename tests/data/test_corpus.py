import pytest

from lslo_cli.data.corpus import Corpus, CorpusSection, load_corpus, split_off
from lslo_cli.errors import InputError
from lslo_cli.method.languages import LANG12, LANG30, Direction

EN_FR, FR_WO, WO_EN = Direction("en", "fr"), Direction("fr", "wo"), Direction("wo", "en")


@pytest.fixture
def corpus():
    return Corpus(
        (
            CorpusSection("news", {"en": ["a", "b", "c"], "fr": ["d", "", "f"]}),
            CorpusSection("bible", {"en": ["g", ""], "wo": ["h", "i"], "fr": ["", "j"]}),
        )
    )


def numbered(rows, name="news"):
    return CorpusSection(
        name, {code: [f"{code} {name} {row}" for row in range(rows)] for code in ("en", "fr")}
    )


def test_rows_are_where_both_sides_exist(corpus):
    assert corpus.rows(EN_FR).tolist() == [[0, 0], [0, 2]]
    assert corpus.rows(FR_WO).tolist() == [[1, 1]]
    assert corpus.rows(WO_EN).tolist() == [[1, 0]]
    assert corpus.rows(Direction("en", "de")).shape == (0, 2)
    assert [corpus.size(direction) for direction in (EN_FR, FR_WO, WO_EN)] == [2, 1, 1]
    assert corpus.pairs(EN_FR) == (["a", "c"], ["d", "f"])
    assert corpus.languages == ("en", "fr", "wo")


def test_a_section_with_lists_of_different_lengths_is_refused():
    with pytest.raises(ValueError, match="'news' has lists of different lengths"):
        CorpusSection("news", {"en": ["a"], "fr": []})


def test_the_digest_tells_text_and_language_and_nothing_else(corpus):
    first, second = corpus.sections
    renamed = Corpus((CorpusSection("other", dict(reversed(first.text.items()))), second))
    assert corpus.digest == renamed.digest
    assert len(corpus.digest) == 64
    others = [
        Corpus((first,)),
        Corpus((second, first)),
        Corpus((first, CorpusSection("bible", {**second.text, "fr": ["", "k"]}))),
        Corpus((first, CorpusSection("bible", {"en": ["g", ""], "wo": ["h", "i"], "de": ["", "j"]}))),
    ]
    assert len({corpus.digest, *(other.digest for other in others)}) == 5


def test_a_cut_leaves_the_first_sentences_of_a_language_and_all_rows(corpus):
    cut = corpus.cut({"fr": 2, "wo": 1})
    assert [section.text for section in cut.sections] == [
        {"en": ["a", "b", "c"], "fr": ["d", "", "f"]},
        {"en": ["g", ""], "wo": ["h", ""], "fr": ["", ""]},
    ]
    assert cut.rows(EN_FR).tolist() == [[0, 0], [0, 2]]
    assert not cut.size(FR_WO)
    assert corpus.cut({"fr": 3, "wo": 2}).digest == corpus.digest


def test_a_cut_to_more_than_there_is_is_refused(corpus):
    with pytest.raises(InputError, match="has 2 sentences of 'wo', fewer than the 1,000 to cut") as caught:
        corpus.cut({"en": 1, "wo": 1000})
    assert "languages.wo.bitext" in caught.value.hint
    with pytest.raises(InputError, match="has 0 sentences of 'de'"):
        corpus.cut({"de": 1})


def test_limit_takes_the_first_rows_of_each_section(corpus):
    limited = corpus.limit(2)
    assert [len(section) for section in limited.sections] == [2, 2]
    assert limited.sections[0].text == {"en": ["a", "b"], "fr": ["d", ""]}
    assert corpus.limit(10).digest == corpus.digest


def test_a_sample_is_a_function_of_its_seed_and_keeps_rows_together():
    corpus = Corpus((numbered(50), numbered(5, "bible")))
    sample = corpus.sample(10, seed=1)
    assert sample.digest == corpus.sample(10, seed=1).digest != corpus.sample(10, seed=2).digest
    assert [len(section) for section in sample.sections] == [10, 5]
    numbers = [int(line.split()[-1]) for line in sample.sections[0].text["en"]]
    assert numbers == sorted(set(numbers))
    assert [line.replace("fr", "en") for line in sample.sections[0].text["fr"]] == sample.sections[0].text[
        "en"
    ]


def test_held_out_rows_and_training_rows_are_all_rows_once():
    corpus = Corpus((numbered(50), numbered(300, "bible"), numbered(3, "tiny")))
    train, held_out = split_off(corpus, rows=20, seed=7)
    assert [len(section) for section in train.sections] == [45, 280, 3]
    assert [(section.name, len(section)) for section in held_out.sections] == [("news", 5), ("bible", 20)]
    lines = [line for part in (train, held_out) for section in part.sections for line in section.text["fr"]]
    assert sorted(lines) == sorted(line for section in corpus.sections for line in section.text["fr"])
    assert (
        held_out.digest == split_off(corpus, rows=20, seed=7)[1].digest != split_off(corpus, 20, 8)[1].digest
    )


def with_gaps(shared, rows=200):
    """A section whose last rows have both languages, and the others English alone."""
    section = numbered(rows)
    kept = [""] * (rows - shared) + list(section.text["fr"][rows - shared :])
    return Corpus((CorpusSection("gaps", {"en": section.text["en"], "fr": kept}),))


@pytest.mark.parametrize("seed", range(5))
def test_a_row_with_a_sentence_pair_is_held_out_of_text_with_gaps(seed):
    train, held_out = split_off(with_gaps(15), rows=1, seed=seed)
    assert (train.size(EN_FR), held_out.size(EN_FR)) == (14, 1)


@pytest.mark.parametrize("corpus", [Corpus((numbered(9),)), with_gaps(1)])
def test_nothing_can_be_held_out_of_very_little(corpus):
    with pytest.raises(InputError, match="every section has fewer than ten rows with a translation"):
        split_off(corpus, rows=5, seed=1)


def test_languages_come_in_the_order_requested(write):
    folder = write({"en.txt": "a\n", "fr.txt": "b\n", "wo.txt": "c\n"})
    assert load_corpus(str(folder), ("wo", "en", "fr")).languages == ("wo", "en", "fr")


def test_flores_has_997_and_1012_rows_in_every_direction(flores):
    dev = load_corpus(flores, LANG30, "dev")
    assert (len(dev.sections), dev.languages) == (1, LANG30)
    assert {dev.size(Direction("en", code)) for code in LANG30[1:]} == {997}
    assert load_corpus(flores, LANG12, "devtest").size(Direction("wo", "or")) == 1012


def test_a_language_that_is_alone_on_all_its_rows_is_refused(write):
    folder = write({"en.txt": "a\nb\n\n", "fr.txt": "c\nd\n\n", "wo.txt": "\n\ne\n"})
    with pytest.raises(InputError, match="no sentence of 'wo' in .* has a translation in the other"):
        load_corpus(str(folder), ("en", "fr", "wo"))
    (folder / "wo.txt").write_text("\nf\ne\n")
    assert load_corpus(str(folder), ("en", "fr", "wo")).size(Direction("wo", "en")) == 1
