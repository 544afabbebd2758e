"""spBLEU and chrF++ against sacreBLEU's own API, and every way in which the metric's model can be missing."""

import pickle
from functools import partial

import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers import tokenizer_spm

from lslo_cli.errors import InputError
from lslo_cli.method.metrics import METRICS, metric_named
from lslo_cli.method.statistics import bleu
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.vocabulary import train_vocabulary
from lslo_cli.search import metric
from lslo_cli.search.metric import MetricSettings, SpBleu, flores101_model

REFERENCES = [
    "the small cat sees the old house by the river",
    "a dog sleeps in the old house and dreams of rivers",
    "le petit chat voit la vieille maison",
    "nothing is as old as the river",
]
HYPOTHESES = [
    "the small cat sees an old house near the river",
    "a dog sleeps in a house and dreams of rivers  ",
    "le petit chat voit la maison",
    "",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    train_vocabulary({"en": REFERENCES * 3}, 80, folder)
    return folder / SENTENCEPIECE


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty sacreBLEU cache; gives the place of FLORES-101's model in it."""
    monkeypatch.setenv("SACREBLEU", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models" / "sacrebleu_tokenizer_spm.model"


@pytest.fixture
def cached(cache, model, monkeypatch):
    """A cache whose model we take for FLORES-101's, and sacreBLEU too."""
    cache.parent.mkdir(parents=True)
    cache.write_bytes(model.read_bytes())
    monkeypatch.setattr(metric, "FLORES101_PIECES", 0)  # 80 pieces, rounded to thousands
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(cache.parent.parent))
    return cache


def scored(spbleu, hypotheses, references):
    (score,) = spbleu.scores([], [hypotheses], references)
    return score


def test_spbleu_is_sacrebleus_number_with_sacrebleus_signature(cached):
    sacrebleu = BLEU(tokenize="flores101")
    theirs = sacrebleu.corpus_score(HYPOTHESES, [REFERENCES])
    ours = scored(SpBleu(), HYPOTHESES, REFERENCES)
    assert ours.value == theirs.score > 20
    assert ours.signature == str(sacrebleu.get_signature())
    assert "tok:flores101" in ours.signature
    assert (ours.counts, ours.totals) == (tuple(theirs.counts), tuple(theirs.totals))
    assert (ours.sys_len, ours.ref_len) == (theirs.sys_len, theirs.ref_len)


def test_sums_of_single_sentences_are_those_of_the_corpus(model):
    metric = SpBleu(model)
    whole = scored(metric, HYPOTHESES, REFERENCES)
    table = metric.sentence_statistics(HYPOTHESES, REFERENCES)
    assert table.shape == (len(REFERENCES), 10)
    assert tuple(table.sum(axis=0)) == (*whole.counts, *whole.totals, whole.sys_len, whole.ref_len)
    assert float(bleu(table.sum(axis=0))) == pytest.approx(whole.value, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "make"), [("chrF++", partial(CHRF, word_order=2)), ("chrF", CHRF), ("TER", TER)]
)
def test_other_metrics_are_sacrebleus(tmp_path, name, make):
    ours = pickle.loads(pickle.dumps(metric_named(name).open(MetricSettings(None, tmp_path))))
    one, other = ours.scores([[], []], [HYPOTHESES, REFERENCES], REFERENCES)
    theirs = make().corpus_score(HYPOTHESES, [REFERENCES])
    assert one.value == theirs.score
    reference = make(references=[REFERENCES])
    assert other.value == reference.corpus_score(REFERENCES, None).score
    assert one.signature == str(reference.get_signature()) and "version" in one.signature
    with pytest.raises(InputError, match="1 hypotheses cannot be scored against 4 references"):
        ours.scores([[]], [["a"]], REFERENCES)


def test_every_metric_of_the_list_opens_by_name_however_it_is_capitalised(tmp_path, model):
    for spec in METRICS:
        found = metric_named(spec.name.swapcase())
        assert found is spec and found.summary
        opened = found.open(MetricSettings(str(model), tmp_path))
        (score,) = opened.scores([REFERENCES], [REFERENCES], REFERENCES)
        assert score.value == pytest.approx(100 if spec.higher_is_better else 0)
    with pytest.raises(ValueError, match="unknown metric 'bleurt'; metrics: spBLEU, chrF"):
        metric_named("bleurt")


def test_a_local_model_gives_the_same_arithmetic_under_its_own_name(cached, model):
    local, flores = SpBleu(model), SpBleu()
    ours = scored(local, HYPOTHESES, REFERENCES)
    assert ours.value == scored(flores, HYPOTHESES, REFERENCES).value
    assert f"tok:spm-local-{local.sha256[:8]}|" in ours.signature
    assert local.sha256 == flores.sha256 and local.pieces == flores.pieces == 80
    assert (local.path, flores.path) == (model, cached)


def test_a_score_follows_from_its_counts(model):
    score = scored(SpBleu(model), HYPOTHESES, REFERENCES)
    again = BLEU.compute_bleu(
        list(score.counts), list(score.totals), score.sys_len, score.ref_len, smooth_method="exp"
    )
    assert again.score == score.value


def test_references_may_change_from_call_to_call(model):
    spbleu = SpBleu(model)
    first = scored(spbleu, HYPOTHESES, REFERENCES)
    swapped = scored(spbleu, REFERENCES, HYPOTHESES)
    assert swapped.value != first.value
    assert scored(spbleu, HYPOTHESES, list(REFERENCES)) == first
    assert scored(spbleu, REFERENCES, REFERENCES).value == pytest.approx(100)


def test_several_translations_of_one_text_are_scored_as_each_alone(model):
    spbleu = SpBleu(model)
    translations = [HYPOTHESES, REFERENCES, HYPOTHESES[::-1]]
    assert spbleu.scores([], translations, REFERENCES) == [
        scored(spbleu, hypotheses, REFERENCES) for hypotheses in translations
    ]


def test_a_metric_travels_to_another_process_as_it_is(model):
    spbleu = SpBleu(model)
    there = pickle.loads(pickle.dumps(spbleu))
    assert scored(there, HYPOTHESES, REFERENCES) == scored(spbleu, HYPOTHESES, REFERENCES)


def test_the_metric_stays_apart_from_sacrebleus_own_tokenizers(model):
    scored(SpBleu(model), HYPOTHESES, REFERENCES)
    assert "tok:none" in str(fresh_signature())


def test_nothing_matching_scores_zero(model):
    score = scored(SpBleu(model), ["", ""], REFERENCES[:2])
    assert (score.value, score.sys_len) == (0.0, 0) and score.ref_len > 0


def test_without_the_model_of_flores_the_error_says_where_it_was_looked_for(cache):
    with pytest.raises(InputError, match="is not at") as caught:
        SpBleu()
    assert str(cache) in caught.value.message
    assert "BLEU(tokenize='flores101')" in caught.value.hint
    assert "--metric-model base" in caught.value.hint
    assert not cache.parent.exists() and not cache.parent.parent.exists()  # nothing was tried, nothing left


def test_the_cache_is_in_the_home_folder_unless_the_environment_says_otherwise(cache, monkeypatch, tmp_path):
    assert flores101_model() == cache
    monkeypatch.delenv("SACREBLEU")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert flores101_model() == tmp_path / ".sacrebleu" / "models" / "sacrebleu_tokenizer_spm.model"


def test_another_model_under_the_name_of_flores_is_refused_with_both_sizes(cache, model):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(model.read_bytes())
    with pytest.raises(InputError, match="has 80 pieces; FLORES-101's model has 256,000"):
        SpBleu()


@pytest.mark.parametrize("kept", [0, 200])
def test_a_damaged_model_is_one_clear_error(model, tmp_path, kept):
    damaged = tmp_path / "damaged.model"
    damaged.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(InputError, match=rf"damaged\.model: .*\({kept} bytes\) cannot be read"):
        SpBleu(damaged)


def test_a_missing_local_model_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no sentencepiece model to score with at"):
        SpBleu(tmp_path / "absent.model")


@pytest.mark.parametrize(("hypotheses", "references"), [(["a"], ["a", "b"]), (["a", "b"], ["a"]), ([], [])])
def test_hypotheses_must_be_as_many_as_references(model, hypotheses, references):
    with pytest.raises(InputError, match=f"{len(hypotheses)} hypotheses .* {len(references)} references"):
        scored(SpBleu(model), hypotheses, references)


def fresh_signature():
    bleu = BLEU(tokenize="none", force=True)
    bleu.corpus_score(["a"], [["a"]])
    return bleu.get_signature()


def test_accents_typed_apart_are_no_other_text(tmp_path, model):
    settings = MetricSettings("base", model.parent, lambda event: None)
    hypotheses, references = ["le café où", "déjà"], ["le cafe\u0301 ou\u0300", "de\u0301ja\u0300"]
    for each in ("spBLEU", "chrF++", "chrF", "TER"):
        opened = metric_named(each).open(settings)
        (apart,) = opened.scores([], [hypotheses], references)
        (same,) = opened.scores([], [hypotheses], hypotheses)
        assert apart.value == same.value, each
    assert metric.sentence_chrf(hypotheses[0], references[0]) == 100
