"""Scores of tasks, and the paper's average ranks recomputed from its headline table."""

import pytest

from lslo_cli.method.flare_headline import MODELS, PHI_ABLATION, TASKS, headline
from lslo_cli.method.task_scores import accuracy, average_ranks, exact_match, macro_f1


def test_accuracy():
    assert accuracy([0, 1, 2, 2], [0, 1, 2, 0]) == 75


def test_macro_f1_is_the_mean_over_classes():
    # precision and recall by class: 0 (1/2, 1), 1 (1, 1/2), 2 (1, 1)
    assert macro_f1([0, 0, 1, 2], [0, 1, 1, 2], 3) == pytest.approx(100 * (2 / 3 + 2 / 3 + 1) / 3)


def test_a_class_that_is_never_found_counts_zero():
    assert macro_f1([0, 0], [0, 0], 2) == 50


def test_exact_match_forgives_case_punctuation_and_space():
    answers = [("The Nile.", "Nile"), ("12 May",), ("x",)]
    assert exact_match(["the  nile", "12 may!", "y"], answers) == pytest.approx(200 / 3)


def test_ranks_are_shared_by_equals():
    scores = {"a": {"x": 3.0, "y": 1.0}, "b": {"x": 3.0, "y": 2.0}, "c": {"x": 1.0, "y": 3.0}}
    assert average_ranks(scores) == {"a": 2.25, "b": 1.75, "c": 2.0}


RANKED = ("lora", "x-mixup", "input-fusion", "flare-mt", "flare")
"""The five methods that are trained on the target language, for four models: twenty average ranks."""

# Ranks by hand from the printed scores, XNLI, TyDiQA and NusaX in turn.
TWENTY = {
    "XLM-R Large": {
        "lora": (3, 3, 4),
        "x-mixup": (4, 5, 5),
        "input-fusion": (5, 2, 2),
        "flare-mt": (1, 4, 3),
    },
    "mT5-XL": {"lora": (3, 5, 3), "x-mixup": (4, 3, 5), "input-fusion": (5, 4, 4), "flare-mt": (2, 2, 1)},
    "Llama 3.1 8B": {
        "lora": (3, 3, 3),
        "x-mixup": (5, 5, 2),
        "input-fusion": (4, 2, 4),
        "flare-mt": (2, 4, 5),
    },
    "Gemma 2 9B": {"lora": (2, 3, 3), "x-mixup": (4, 5, 2), "input-fusion": (5, 2, 5), "flare-mt": (3, 4, 4)},
}
FLARE = {
    "XLM-R Large": (2, 1, 1),
    "mT5-XL": (1, 1, 2),
    "Llama 3.1 8B": (1, 1, 1),
    "Gemma 2 9B": (1, 1, 1),
}


@pytest.mark.parametrize("model", MODELS)
def test_the_papers_average_ranks_follow_from_its_table(model):
    scores = {method: headline(model)[method] for method in RANKED}
    expected = {method: sum(ranks) / 3 for method, ranks in {**TWENTY[model], "flare": FLARE[model]}.items()}
    assert average_ranks(scores) == pytest.approx(expected)


def test_the_headline_table_is_whole_and_flare_gains_what_the_abstract_says():
    assert all(set(scores) == set(TASKS) for model in MODELS for scores in headline(model).values())
    gains = {
        model: headline(model)["flare"]["TyDiQA"] - headline(model)["lora"]["TyDiQA"] for model in MODELS
    }
    assert gains["Llama 3.1 8B"] == pytest.approx(4.90)
    assert gains["Gemma 2 9B"] == pytest.approx(2.21)
    assert PHI_ABLATION["add-relu"] == headline("XLM-R Large")["flare"]
