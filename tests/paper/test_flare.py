import numpy as np
import pytest
from scipy.stats import rankdata

from lslo_cli.method.flare import FlareMethod, FlareRun, Phi
from lslo_cli.method.task_scores import average_ranks
from lslo_cli.paper import FLARE_CLAIMS, flare_table

PAPER = flare_table()
TRAINED = [
    str(method) for method in FlareMethod if method.trains and method is not FlareMethod.FLARE_SHUFFLED
]


def test_the_headline_table_is_whole():
    assert PAPER.models == ("XLM-R Large", "mT5-XL", "Llama 3.1 8B", "Gemma 2 9B")
    assert dict(PAPER.metrics) == {"XNLI": "accuracy", "TyDiQA": "exact match", "NusaX": "macro-F1"}
    methods = {"zero-shot", "translate-test", *TRAINED}
    for scores in PAPER.scores.values():
        assert set(scores) == methods
        assert all(tuple(row) == PAPER.tasks for row in scores.values())


@pytest.mark.parametrize("model", PAPER.models)
def test_the_papers_average_ranks_follow_from_its_scores(model):
    scores = {method: PAPER.scores[model][method] for method in TRAINED}
    assert len(TRAINED) == 5  # which makes twenty for four models
    ranks = average_ranks(scores)
    assert {method: round(rank, 2) for method, rank in ranks.items()} == PAPER.ranks[model]
    by_task = np.array([[scores[method][task] for task in PAPER.tasks] for method in TRAINED])
    assert list(ranks.values()) == pytest.approx(rankdata(-by_task, axis=0).mean(axis=1))


def test_flare_gains_on_question_answering_what_the_abstract_says():
    gains = {
        model: scores["flare"]["TyDiQA"] - scores["lora"]["TyDiQA"] for model, scores in PAPER.scores.items()
    }
    assert gains["Llama 3.1 8B"] == pytest.approx(4.90)
    assert gains["Gemma 2 9B"] == pytest.approx(2.21)


def test_the_ablation_has_the_headlines_flare_as_its_best():
    functions = PAPER.fusion_functions
    assert set(functions) < set(Phi)
    assert functions["add-relu"] == PAPER.scores["XLM-R Large"]["flare"]
    for task in PAPER.tasks:
        assert max(functions, key=lambda phi: functions[phi][task]) == "add-relu"


def test_claims_name_runs_as_experiments_do():
    for claim in FLARE_CLAIMS:
        for name in (claim.run, *claim.others):
            assert str(FlareRun.parse(name)) == name
