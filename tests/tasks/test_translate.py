"""Translating one's own lines gives what the evaluation of the same run gives, line for line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from lslo_cli.errors import InputError, UsageError
from lslo_cli.tasks import commands as tasks

RUNS = ["base", "full", "2-2-8-gps0.9"]


@pytest.fixture(scope="module")
def sources(tiny):
    """The sentences that were evaluated, by language."""
    test = tiny.text / "test"
    return {path.stem: path.read_text(encoding="utf-8").splitlines()[:3] for path in test.iterdir()}


@pytest.mark.parametrize("run", RUNS)
def test_translations_are_those_of_the_evaluation(finished_experiment, sources, run):
    experiment = finished_experiment()
    translator = tasks.open_translator(experiment, run)
    rows = list(tasks.translate(translator, sources["qta"], src="qta", tgt=["qki", "qka"]))
    folder = experiment.folder.run(run).whole.hypotheses
    expected = [
        next(folder.glob(f"qta-{tgt}*")).read_text(encoding="utf-8").splitlines() for tgt in ("qki", "qka")
    ]
    assert rows == list(zip(*expected, strict=True))


def test_threads_that_share_a_translator_get_their_own_translations(finished_experiment, sources):
    translator = tasks.open_translator(finished_experiment(), "2-2-8-gps0.9")
    asked = list(permutations(translator.setup.codes, 2))

    def translated(direction):
        src, tgt = direction
        lines = sources[src][: 1 + (src < tgt)]
        return list(tasks.translate(translator, lines, src=src, tgt=tgt))

    alone = list(map(translated, asked))
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(translated, asked)) == alone


def test_lines_stay_in_place_whatever_the_buffer_and_empty_ones_stay_empty(finished_experiment, sources):
    translator = tasks.open_translator(finished_experiment())
    first, second, third = sources["qso"]
    lines = ["", first, "   ", second, third, ""]
    whole = list(tasks.translate(translator, lines, src="qso", tgt="qki"))
    in_parts = list(tasks.translate(translator, lines, src="qso", tgt="qki", buffer=2))
    assert len(whole) == len(lines)
    assert [row == ("",) for row in whole] == [True, False, True, False, False, True]
    assert in_parts == whole


def test_lines_are_read_as_they_are_wanted(finished_experiment, sources):
    translator = tasks.open_translator(finished_experiment())
    taken = []

    def lines():
        for line in sources["qta"]:
            taken.append(line)
            yield line

    found = tasks.translate(translator, lines(), src="qta", tgt="qki", buffer=1)
    assert not taken
    next(found)
    assert len(taken) == 1


def test_a_line_longer_than_the_model_reads_is_translated_in_parts(finished_experiment, sources):
    translator = tasks.open_translator(finished_experiment(**{"data.max_length": 20}))
    line = " ".join(sources["qta"] * 4)
    ((text,),) = tasks.translate(translator, [line], src="qta", tgt="qki")
    alone = [row[0] for row in tasks.translate(translator, sources["qta"], src="qta", tgt="qki")]
    assert len(text.split()) > max(len(each.split()) for each in alone)


@pytest.mark.parametrize("mode", ["fairseq", "plain"])
def test_what_reaches_the_limit_on_length_is_told(finished_experiment, sources, heard, mode):
    translator = tasks.open_translator(
        finished_experiment(**{"evaluate.max_new_tokens": 4, "evaluate.mode": mode})
    )
    # The end of a sentence is never written, so that every translation reaches its limit.
    translator.setup.base.tokenizer.unused = [translator.setup.base.tokenizer.eos_id]
    for line in sources["qta"][:2]:
        list(tasks.translate(translator, [line], src="qta", tgt="qki", on_event=heard))
    note = "1 translation ended at the limit on length and may be cut: raise evaluate.max_new_tokens, now 4"
    assert heard.notes == [note] * 2


def test_a_translation_that_ends_by_itself_is_not_told(finished_experiment, heard):
    translator = tasks.open_translator(
        finished_experiment(**{"evaluate.max_new_tokens": 60, "evaluate.beam": 4})
    )
    assert (
        list(tasks.translate(translator, ["", "\u200b"], src="qta", tgt="qki", on_event=heard)) == [("",)] * 2
    )
    assert heard.notes == []


def test_a_language_that_is_not_there_is_refused_with_those_that_are(finished_experiment):
    translator = tasks.open_translator(finished_experiment())
    with pytest.raises(UsageError, match="'xx' is not among the languages of base") as error:
        list(tasks.translate(translator, ["a"], src="qta", tgt="xx"))
    assert "qka, qki, qso, qta" in error.value.hint
    with pytest.raises(UsageError, match="nothing to translate from qta"):
        list(tasks.translate(translator, ["a"], src="qta", tgt="qta"))


@pytest.mark.parametrize(
    ("lines", "settings", "message"),
    [
        ("taro", {}, "'taro' is one text"),
        (["taro", None], {}, "line 2 is None"),
        (["taro"], {"buffer": 0}, "a buffer of 0 lines"),
        (["taro"], {"buffer": -1}, "a buffer of -1 lines"),
        (["taro"], {"buffer": 1.5}, "a buffer of 1.5 lines"),
        (["taro"], {"beam": 2.5}, r"'evaluate\.beam' cannot be 2\.5"),
        (["taro"], {"beam": 0}, r"'evaluate\.beam' cannot be 0"),
        (["taro"], {"length_penalty": -1.0}, r"'evaluate\.length_penalty' cannot be -1"),
        (["taro"], {"nbest": 1.5}, r"nbest = 1\.5"),
    ],
)
def test_what_cannot_be_translated_so_is_refused(finished_experiment, lines, settings, message):
    translator = tasks.open_translator(finished_experiment())
    with pytest.raises(UsageError, match=message) as error:
        list(tasks.translate(translator, lines, src="qta", tgt="qki", **settings))
    assert error.value.hint


def test_a_run_that_is_not_there_is_refused_with_those_that_are(finished_experiment):
    with pytest.raises((InputError, UsageError), match="no-such-run") as error:
        tasks.open_translator(finished_experiment(), "no-such-run")
    assert "2-2-8-gps0.9" in str(error.value) + error.value.hint
