import shutil
from dataclasses import replace
from statistics import fmean

import pytest
from sacrebleu.metrics import BLEU, CHRF
from sentencepiece import SentencePieceProcessor

from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Finished, Noted, Started
from lslo_cli.method.languages import Direction, grouping
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.decoding import open_metrics, sources_and_references, translate_all
from lslo_cli.tasks.evaluate import score_run


def evaluated(stage, run="base"):
    return score_run(stage, run, None, open_metrics(stage))


@pytest.fixture(scope="module")
def base(tiny):
    """The base model's evaluation: setup, result and hypotheses."""
    from lslo_cli.tasks.setup import prepare

    stage = prepare(tiny.recipe())
    return stage, *evaluated(stage)


def test_every_direction_is_scored_on_every_sentence(base):
    _, result, hypotheses = base
    assert len(result.directions) == len(hypotheses) == 12
    assert {row.sentences for row in result.directions} == {3}
    assert all(len(lines) == 3 for lines in hypotheses.values())


def test_scores_are_sacrebleus(base, tiny):
    stage, result, hypotheses = base
    corpus = stage.read("test", 3)
    pieces = SentencePieceProcessor(model_file=str(tiny.base / "sentencepiece.bpe.model"))

    def split(lines):
        return [" ".join(pieces.encode(line, out_type=str)) for line in lines]

    for row in result.directions:
        references = corpus.pairs(row.direction)[1]
        bleu = BLEU(tokenize="none", force=True).corpus_score(
            split(hypotheses[row.direction]), [split(references)]
        )
        chrf = CHRF(word_order=2).corpus_score(hypotheses[row.direction], [references])
        assert row.scores["spBLEU"] == pytest.approx(bleu.score)
        assert row.scores["chrF++"] == pytest.approx(chrf.score)
        assert (row.counts, row.totals) == (bleu.counts, bleu.totals)
        assert (row.hypothesis_length, row.reference_length) == (bleu.sys_len, bleu.ref_len)


def test_groups_and_average_are_means_over_directions(base):
    stage, result, _ = base
    assert result.metric().average == pytest.approx(fmean(row.scores["spBLEU"] for row in result.directions))
    assert result.metric("chrF++").average == pytest.approx(
        fmean(row.scores["chrF++"] for row in result.directions)
    )
    group_of = grouping(stage.languages)
    for name, mean in result.metric().groups.items():
        members = [row.scores["spBLEU"] for row in result.directions if group_of(row.direction) == name]
        assert mean == pytest.approx(fmean(members))


def test_a_score_travels_with_its_signature_and_the_model_behind_it(base):
    stage, result, _ = base
    metric = open_metrics(stage)["spBLEU"]
    assert f"tok:{metric.name}" in result.metric().signature
    assert result.metric_model_sha256 == metric.sha256
    assert result.metric_model_pieces == metric.pieces == 200
    assert result.metric("chrF++").signature.startswith("nrefs:1")


def test_the_search_is_recorded(base):
    assert base[1].search == {
        "beam": 2,
        "mode": "fairseq",
        "length_penalty": 1.0,
        "max_length_a": 0.0,
        "max_new_tokens": 14,
    }


def test_a_search_that_repeats_no_n_gram_is_recorded_as_such(setup):
    result, _ = evaluated(setup(**{"evaluate.no_repeat_ngram": 3, "evaluate.directions": ["qka-qta"]}))
    assert result.search["no_repeat_ngram"] == 3


@pytest.mark.parametrize("mode", ["fairseq", "plain"])
def test_translations_that_end_at_the_limit_are_counted_in_a_note(setup, mode):
    notes = []
    stage = setup(notes.append, **{"evaluate.mode": mode, "evaluate.directions": ["qka-qta"]})
    (direction,) = (each for each in stage.directions if str(each) == "qka-qta")
    lines = stage.read("test").pairs(direction)[0][:3]

    tokenizer = stage.base.tokenizer
    ended = tokenizer.unused

    def cut_at(limit):
        section = stage.recipe.evaluate.model_copy(update={"max_new_tokens": limit})
        changed = replace(stage, recipe=stage.recipe.model_copy(update={"evaluate": section}))
        notes.clear()
        (found,) = translate_all(changed, {direction: lines}, None, "x").values()
        told = [each.text for each in notes if isinstance(each, Noted)]
        return [len(stage.base.tokenizer.encode(text)) for text in found], told

    tokenizer.unused = [*ended, tokenizer.eos_id]  # never written, so that nothing ends by itself
    _, told = cut_at(2)
    assert told == [
        "3 translations ended at the limit on length and may be cut: raise evaluate.max_new_tokens, now 2"
    ]
    tokenizer.unused = ended
    lengths, told = cut_at(250)
    assert told == [] or max(lengths) > 200


@pytest.mark.parametrize("mode", ["fairseq", "plain"])
def test_a_limit_that_is_the_models_own_is_told_as_such(setup, mode):
    notes = []
    stage = setup(notes.append, **{"evaluate.mode": mode, "evaluate.max_new_tokens": 200})
    stage.base.model.config.max_position_embeddings = 8
    stage.base.tokenizer.unused = [*stage.base.tokenizer.unused, stage.base.tokenizer.eos_id]
    direction = stage.directions[0]
    lines = stage.read("test").pairs(direction)[0][:3]
    translate_all(stage, {direction: lines}, None, "x")
    (told,) = (each.text for each in notes if isinstance(each, Noted) and "ended at" in each.text)
    assert told == (
        "3 translations ended at the limit on length and may be cut: at most 7 tokens fit the number of "
        "positions of the base model"
    )


def test_a_limit_that_grows_with_the_source_is_passed_on(setup):
    stage = setup(**{"evaluate.max_length_a": 0.0, "evaluate.max_new_tokens": 2})
    short, _ = evaluated(stage)
    longer, _ = evaluated(setup(**{"evaluate.max_length_a": 0.5, "evaluate.max_new_tokens": 2}))
    total = [sum(row.hypothesis_length for row in result.directions) for result in (short, longer)]
    assert total[0] < total[1]


def test_some_directions_can_be_chosen(setup):
    result, hypotheses = evaluated(setup(**{"evaluate.directions": ["qka-qta", "qta-qki"]}))
    assert set(map(str, hypotheses)) == {"qka-qta", "qta-qki"}
    assert set(result.metric().groups) == {"V2H", "H2M"}


def test_a_direction_is_translated_alike_alone_and_among_others(base, setup):
    _, hypotheses = evaluated(setup(**{"evaluate.directions": ["qka-qta"]}))
    direction = Direction("qka", "qta")
    assert hypotheses[direction] == base[2][direction]


def test_a_direction_outside_the_experiment_is_refused(setup):
    with pytest.raises(UsageError, match="direction 'qta-qle' is not among"):
        evaluated(setup(**{"evaluate.directions": ["qta-qle"]}))


def test_progress_counts_sentences(setup):
    events = []
    evaluated(setup(events.append))
    assert Started("translating with base", 36, "sentences") in events
    assert [event for event in events if not isinstance(event, Noted)][-1] == Finished(
        "translating with base"
    )


# Gaps


@pytest.fixture
def text_with_gaps(tiny, tmp_path):
    """The test text where qka has two of three lines, and qki none."""
    folder = tmp_path / "text"
    shutil.copytree(tiny.text, folder)
    for code, kept in (("qka", (0, 2)), ("qki", (70,))):
        path = folder / "test" / f"{code}.test"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(f"{line if row in kept else ''}\n" for row, line in enumerate(lines)))
    return folder


def test_a_direction_without_text_is_left_out_and_gaps_count_no_sentence(setup, text_with_gaps):
    result, _ = evaluated(setup(**{"data.path": str(text_with_gaps)}))
    sentences = {str(row.direction): row.sentences for row in result.directions}
    assert sentences == {"qta-qso": 3, "qta-qka": 2, "qso-qta": 3, "qso-qka": 2, "qka-qta": 2, "qka-qso": 2}
    assert set(result.metric().groups) == {"H2H", "H2V", "V2H"}


def test_directions_without_text_are_named_in_one_note_of_an_evaluation_and_of_its_plan(
    new_experiment, text_with_gaps, heard
):
    told = "no test text for qta-qki, qso-qki, qki-qta, qki-qso, qki-qka, qka-qki: left out"
    experiment = new_experiment(**{"data.path": str(text_with_gaps)})
    assert ("note", told) in tasks.plan(experiment, "evaluate").facts
    tasks.evaluate(experiment, on_event=heard)
    assert [note for note in heard.notes if "no test text" in note] == [told]
    tasks.evaluate(experiment, on_event=heard)  # up to date
    assert [note for note in heard.notes if "no test text" in note] == [told] * 2
    assert heard.tasks.count("translating with base") == 1


@pytest.mark.parametrize("how", ["no file", "an empty line in every row"])
def test_a_language_without_test_text_is_left_out_as_training_and_its_plan_note_before(
    new_experiment, text_with_gaps, heard, how
):
    path = text_with_gaps / "test" / "qki.test"
    if how == "no file":
        path.unlink()
    else:
        path.write_text("\n" * len(path.read_text(encoding="utf-8").splitlines()))
    experiment = new_experiment(**{"data.path": str(text_with_gaps), "train.ranks": "2,2,8"})
    directions = "no test text for qta-qki, qso-qki, qki-qta, qki-qso, qki-qka, qka-qki"
    before = f"{directions}: evaluation will leave them out"
    assert ("note", before) in tasks.plan(experiment, "train").facts
    run = tasks.train(experiment, on_event=heard).artifact.result.run
    (written,) = tasks.evaluate(experiment, runs=[run], on_event=heard)
    assert [note for note in heard.notes if "no test" in note] == [before, f"{directions}: left out"]
    assert len(written.artifact.result.directions) == 6
    for other in ("qso", "qka"):
        (text_with_gaps / "test" / f"{other}.test").unlink()
    with pytest.raises(InputError, match="has no text for qso|no sentence of 'qta'"):
        tasks.evaluate(experiment, runs=["base"])


def test_a_note_says_nothing_of_directions_that_all_have_text(new_experiment):
    assert not [text for name, text in tasks.plan(new_experiment(), "evaluate").facts if name == "note"]


def test_no_text_at_all_is_an_error(setup, text_with_gaps):
    stage = setup(**{"data.path": str(text_with_gaps), "evaluate.directions": ["qki-qka"]})
    with pytest.raises(InputError, match="no sentence to translate: the test text has no pair for qki-qka"):
        evaluated(stage)


def test_sources_stand_beside_their_references(setup, text_with_gaps):
    corpus = setup(**{"data.path": str(text_with_gaps)}).read("test", 4)
    direction = Direction("qka", "qta")
    sources, references = sources_and_references(corpus, [direction])
    rows = (text_with_gaps / "test/qta.test").read_text(encoding="utf-8").splitlines()
    assert references[direction] == [rows[0], rows[2]]
    assert len(sources[direction]) == 2


def test_long_sources_are_cut_with_a_note(setup):
    events = []
    evaluated(setup(events.append, **{"data.max_length": 6, "evaluate.directions": ["qta-qso"]}))
    assert any(isinstance(event, Noted) and "sources at 6 tokens" in event.text for event in events)


# The metric


def test_without_flores_pieces_the_base_models_own_are_used_and_a_note_says_so(setup, tmp_path, monkeypatch):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    notes = []
    metric = open_metrics(setup(notes.append, **{"evaluate.metric_model": None}))["spBLEU"]
    assert metric.name.startswith("spm-local-")
    (note,) = notes
    assert "no FLORES-101 sentencepiece model" in note.text and metric.name in note.text


def test_a_metric_that_was_asked_for_needs_no_note(setup, tiny):
    notes = []
    path = tiny.base / "sentencepiece.bpe.model"
    named = open_metrics(setup(notes.append, **{"evaluate.metric_model": str(path)}))["spBLEU"]
    own = open_metrics(setup(notes.append))["spBLEU"]
    assert named.sha256 == own.sha256
    assert notes == []


def test_flores_pieces_can_be_insisted_on(setup, tmp_path, monkeypatch):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    with pytest.raises(InputError, match=f"is not at {tmp_path}/models/sacrebleu_tokenizer_spm.model"):
        open_metrics(setup(**{"evaluate.metric_model": "flores101"}))["spBLEU"]


def test_a_metric_model_that_is_not_there_is_an_error(setup):
    with pytest.raises(InputError, match="nowhere.model"):
        open_metrics(setup(**{"evaluate.metric_model": "nowhere.model"}))["spBLEU"]
