import pytest

from lslo_cli.wording import counted


@pytest.mark.parametrize(
    ("number", "nouns", "words"),
    [
        (0, ("job",), "0 jobs"),
        (1, ("job",), "1 job"),
        (1012, ("sentence",), "1,012 sentences"),
        (1, ("resource class", "resource classes"), "1 resource class"),
        (2, ("resource class", "resource classes"), "2 resource classes"),
    ],
)
def test_a_noun_agrees_with_its_number(number, nouns, words):
    assert counted(number, *nouns) == words
