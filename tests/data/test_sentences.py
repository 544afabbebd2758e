"""Long lines are cut where a reader would pause, and nothing of them is lost."""

from lslo_cli.data.sentences import join_line, split_line


def words(text: str) -> int:
    return len(text.split())


def test_a_line_that_fits_is_left_as_it_is():
    assert split_line("One. Two. Three.", words, 3) == ["One. Two. Three."]


def test_a_long_line_is_cut_at_the_ends_of_its_sentences():
    assert split_line("One two. Three four! Five?", words, 2) == ["One two.", "Three four!", "Five?"]


def test_a_long_sentence_is_halved_at_a_space_until_its_parts_fit():
    line = "a b c d e f g"
    parts = split_line(line, words, 2)
    assert all(words(part) <= 2 for part in parts)
    assert " ".join(parts) == line


def test_text_without_spaces_is_cut_at_its_full_stops_and_joined_without_spaces():
    parts = split_line("一二三。四五六。", len, 4)
    assert parts == ["一二三。", "四五六。"]
    for language in ("zh", "zho_Hant", "yue_Hant", "ja", "my"):
        assert join_line(parts, language) == "一二三。四五六。"
    assert join_line(parts, "ko") == "一二三。 四五六。"


def test_a_word_longer_than_the_model_reads_ends_in_single_characters_at_most():
    assert "".join(split_line("abcdefgh", len, 1)) == "abcdefgh"


def test_parts_that_became_nothing_leave_no_space():
    assert join_line(["one", "", "two"], "fr") == "one two"
    assert join_line([""], "fr") == ""
