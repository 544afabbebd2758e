"""Prompts as token ids, whose words stay and whose texts keep their share when they are cut."""

from __future__ import annotations

from typing import Any

from lslo_cli.flare.examples import Passage, Prompt
from lslo_cli.flare.parts import PartTokens


def cut_prompt(tokenizer: Any, prompt: Prompt, max_length: int) -> PartTokens:
    """A prompt in at most ``max_length`` tokens, if its words and a token of each text fit."""
    ids = [*_ids(tokenizer, prompt.content, True), *_ids(tokenizer, prompt.cue, False)]
    if len(ids) <= max_length:
        return PartTokens(ids, [None] * len(ids))
    return prompt_tokens(tokenizer, prompt).cut(max_length)


def fused_prompt(tokenizer: Any, source: Prompt, target: Prompt, max_length: int) -> PartTokens:
    """The content of a source before the prompt of its target; each gets half beside the words of the cue."""
    words = _tokens(tokenizer, target.cue, False).words
    (first, text), *others = target.content
    content = _tokens(tokenizer, ((f"\n{first}", text), *others), False)
    room = (max_length - words) // 2
    before = _tokens(tokenizer, source.content, True).cut(room)
    after = content.then(_tokens(tokenizer, target.cue, False)).cut(words + room)
    return before.then(after)


def prompt_tokens(tokenizer: Any, prompt: Prompt) -> PartTokens:
    """The whole prompt, each of its texts a part."""
    return _tokens(tokenizer, prompt.content, True).then(_tokens(tokenizer, prompt.cue, False))


def _tokens(tokenizer: Any, passage: Passage, begins: bool) -> PartTokens:
    """A passage, whose texts are parts; ``begins`` puts the tokens in front that begin a prompt.

    A text has the tokens by which it lengthens the passage up to there, as few tokenizers know characters.
    """
    ids = _ids(tokenizer, passage, begins)
    special = len(ids) - len(_ids(tokenizer, passage, False))
    parts: list[int | None] = [None] * len(ids)
    for number, (words, text) in enumerate(passage):
        before = (*passage[:number], (words.rstrip(), ""))  # a space belongs to the word after it
        start, end = (
            min(special + len(_ids(tokenizer, read, False)), len(ids))
            for read in (before, (*passage[:number], (words, text)))
        )
        if text:
            parts[start:end] = [number] * (end - start)
    return PartTokens(ids, parts)


def _ids(tokenizer: Any, passage: Passage, begins: bool) -> list[int]:
    whole = "".join(words + text for words, text in passage)
    return tokenizer(whole, add_special_tokens=begins)["input_ids"] if whole else []
