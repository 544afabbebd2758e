"""Prompts as tokens: where their texts lie, whatever a tokenizer makes of them."""

import re

import pytest

from lslo_cli.flare.examples import Example, Prompt, Question
from lslo_cli.flare.prompts import cut_prompt, fused_prompt
from lslo_cli.flare.tasks import TASKS


class Characters:
    """A tokenizer whose tokens are single characters, or with ``words`` a word and the space before it."""

    def __init__(self, words: bool):
        self.words = words

    def __call__(self, text, add_special_tokens):
        tokens = re.findall(r" ?[^ \n]+|\n" if self.words else r"[\s\S]", text)
        return {"input_ids": ["<s>", *tokens] if add_special_tokens else tokens}


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    "task, example",
    [
        ("nusax", Example("1", "a good day", 0)),
        ("xnli", Example("1", "a good day", 0, "it is bad")),
        ("tydiqa", Question("1", "who sat here?", "the cat sat here", "cat", 4)),
    ],
)
def test_what_fits_is_read_as_it_is_and_words_stay_where_it_does_not(words, task, example):
    tokenizer, prompt = Characters(words), TASKS[task].prompt(example)
    content, cue = ("".join(before + text for before, text in part) for part in (prompt.content, prompt.cue))
    whole = cut_prompt(tokenizer, prompt, 99)
    assert list(whole.ids) == [*tokenizer(content, True)["input_ids"], *tokenizer(cue, False)["input_ids"]]
    cut = cut_prompt(tokenizer, prompt, len(whole.ids) - 2)
    assert len(cut.ids) == len(whole.ids) - 2 and (whole.whole, cut.whole) == (True, False)
    for before, _ in (*prompt.content, *prompt.cue):
        assert before.strip() in "".join(cut.ids)


def test_of_a_source_and_a_target_each_has_half():
    tokenizer, cue = Characters(words=False), (("\nA:", ""),)
    one, other = (Prompt((("Q: ", text),), cue) for text in ("x" * 30, "y"))
    assert "".join(fused_prompt(tokenizer, one, other, 23).ids) == "<s>Q: xxxxxx\nQ: y\nA:"
    assert "".join(fused_prompt(tokenizer, other, one, 23).ids) == "<s>Q: y\nQ: xxxxxx\nA:"
