import pytest

from lslo_cli.world import NEWCOMERS, WORLD
from lslo_cli.world.languages import GRAMMARS, PHONOLOGIES
from lslo_cli.world.meaning import LEXICON, Meaning, NounPhrase, Tense
from lslo_cli.world.speech import Affix, Speaker

SUBJECT = NounPhrase(noun=0, plural=False, adjective=None)
PLAIN = Meaning(SUBJECT, 0, Tense.PRESENT, negated=False, object=None, place=None, time=None)
FULL = Meaning(
    NounPhrase(noun=1, plural=True, adjective=2), 3, Tense.PAST, negated=True,
    object=NounPhrase(noun=4, plural=True, adjective=5), place=(0, 6), time=7,
)  # fmt: skip


def test_every_language_has_a_grammar_and_its_family_a_phonology():
    assert list(GRAMMARS) and set(GRAMMARS) == {*WORLD, *NEWCOMERS}
    assert set(PHONOLOGIES) == {language.family for language in WORLD.values()}


def test_every_grammar_places_each_part_of_the_sentence_once():
    assert all(sorted(grammar.clause) == sorted("TSVXOP") for grammar in GRAMMARS.values())


@pytest.mark.parametrize("code", [*WORLD, *NEWCOMERS])
def test_a_sentence_has_a_word_for_everything_it_says(code):
    speaker = Speaker(code)
    assert len(speaker.say(PLAIN).split(" ")) == 2
    assert len(speaker.say(FULL).split(" ")) == 9


@pytest.mark.parametrize("code", [*WORLD, *NEWCOMERS])
def test_hardly_any_two_words_of_a_language_sound_alike(code):
    speaker = Speaker(code)
    words = [speaker.word(kind, concept) for kind, size in LEXICON.items() for concept in range(size)]
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert len(set(words)) > 0.85 * len(words)


def test_verbs_come_where_the_grammar_puts_them():
    def verb_position(code):
        sentence = Speaker(code).say(PLAIN).split(" ")
        return sentence.index(Speaker(code).word("verb", 0))

    assert verb_position("qta") == 1 and verb_position("qgo") == 0


def test_affixes_are_suffixes_or_prefixes_by_language():
    for code in (*WORLD, *NEWCOMERS):
        if GRAMMARS[code].sound_changes:
            continue
        stem, plural = Speaker(code).word("noun", 0), Speaker(code).word("noun", 0, Affix.PLURAL)
        affix = plural.removesuffix(stem) if GRAMMARS[code].prefixing else plural.removeprefix(stem)
        assert affix and affix != plural


def test_a_sound_change_relates_the_words_of_a_family():
    """Lemari turned its ancestor's p into f, and Tamari kept it."""
    kept, changed = Speaker("qta"), Speaker("qle")
    nouns = range(LEXICON["noun"])
    pairs = [(kept.word("noun", noun), changed.word("noun", noun)) for noun in nouns]
    assert any("p" in word for word, _ in pairs) and not any("p" in word for _, word in pairs)
    assert any(word.replace("p", "f") == related != word for word, related in pairs)
