"""Scores of tasks, and ranks over them."""

import pytest

from lslo_cli.method.task_scores import (
    accuracy,
    average_ranks,
    best_grades,
    exact_match,
    macro_f1,
    normalised_answer,
    overlap,
    token_f1,
)


def test_accuracy():
    assert accuracy([0, 1, 2, 2], [0, 1, 2, 0]) == 75


def test_macro_f1_is_the_mean_over_classes():
    # precision and recall by class: 0 (1/2, 1), 1 (1, 1/2), 2 (1, 1)
    assert macro_f1([0, 0, 1, 2], [0, 1, 1, 2], 3) == pytest.approx(100 * (2 / 3 + 2 / 3 + 1) / 3)


def test_a_class_that_is_never_found_counts_zero():
    assert macro_f1([0, 0], [0, 0], 2) == 50


def test_an_answer_counts_without_case_punctuation_and_space():
    assert normalised_answer(" The  Nile. ") == normalised_answer("the nile")
    assert normalised_answer("12 May!") == "12 may"
    assert normalised_answer("y") != normalised_answer("x")


def test_token_f1_counts_each_token_as_often_as_it_occurs():
    assert overlap(["the", "cat", "sat"], ["the", "cat"]) == pytest.approx(2 * 2 / (3 + 2))
    assert overlap(["the", "the"], ["the"]) == pytest.approx(2 / 3)
    assert overlap(["dog"], ["cat"]) == overlap([], ["cat"]) == overlap([], []) == 0
    graded = [(1.0, 1.0), (0.0, 0.5)]
    assert (exact_match(graded), token_f1(graded)) == (50, 75)


def test_of_several_right_answers_the_best_counts_for_each_score():
    table = {"a": (0.0, 0.5), "b": (1.0, 0.2)}
    assert best_grades(lambda said, right: table[right], "x", "ab") == [1.0, 0.5]


def test_ranks_are_shared_by_equals():
    scores = {"a": {"x": 3.0, "y": 1.0}, "b": {"x": 3.0, "y": 2.0}, "c": {"x": 1.0, "y": 3.0}}
    assert average_ranks(scores) == {"a": 2.25, "b": 1.75, "c": 2.0}
