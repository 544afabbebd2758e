import hashlib
import json
import os
import subprocess
import sys
from itertools import combinations

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Resource
from lslo_cli.world import NAMES, NEWCOMERS, PIVOT, ROWS, WORLD, WorldSplit, sentences, write_world
from lslo_cli.world.text import _meanings


def test_the_world_has_four_languages_in_each_of_three_classes_ordered_by_bitext():
    classes = [language.resource for language in WORLD.values()]
    assert classes == [Resource.HIGH] * 4 + [Resource.MEDIUM] * 4 + [Resource.VERY_LOW] * 4
    sizes = [language.bitext for language in WORLD.values()]
    assert sizes[0] is None and next(iter(WORLD)) == PIVOT
    assert sizes[1:] == sorted(sizes[1:], reverse=True) and len(set(sizes)) == 12
    assert list(NAMES) == [*WORLD, *NEWCOMERS]


def test_the_codes_are_iso_639_codes_for_private_use():
    assert all("qaa" <= code <= "qtz" and len(code) == 3 for code in (*WORLD, *NEWCOMERS))


def test_pretraining_text_has_as_many_rows_of_a_language_as_its_bitext():
    text = sentences("pretrain")
    for code, language in WORLD.items():
        assert len(text[code]) == ROWS[WorldSplit.PRETRAIN]
        assert sum(map(bool, text[code])) == (language.bitext or ROWS[WorldSplit.PRETRAIN])


@pytest.mark.parametrize("split", [WorldSplit.TEST, WorldSplit.TRAIN, WorldSplit.VALID])
def test_the_other_splits_exist_in_every_language(split):
    text = sentences(split)
    assert list(text) == list(WORLD)
    assert all(len(lines) == ROWS[split] and all(lines) for lines in text.values())


def test_a_newcomer_has_text_in_every_split_but_the_base_models():
    assert NEWCOMERS.keys().isdisjoint(WORLD)
    for code in NEWCOMERS:
        for split in WorldSplit:
            lines = sentences(split, 30, [code, "qso"])
            assert list(lines) == [code, "qso"] and len(lines[code]) == 30
            assert any(lines[code]) == (split is not WorldSplit.PRETRAIN)
            assert all(lines[code]) or split is WorldSplit.PRETRAIN


def test_a_language_the_world_does_not_have_is_refused():
    with pytest.raises(UsageError, match="no language 'qzz'"):
        sentences("test", 3, ["qta", "qzz"])


def test_no_meaning_occurs_twice_within_or_between_splits():
    said = {split: _meanings(split) for split in WorldSplit}
    assert all(len(set(meanings)) == len(meanings) for meanings in said.values())
    assert all(set(said[a]).isdisjoint(said[b]) for a, b in combinations(WorldSplit, 2))


def test_fewer_rows_are_the_first_rows():
    assert sentences("test", 7)["qha"] == sentences("test")["qha"][:7]


def test_the_text_does_not_depend_on_the_hash_seed():
    program = "from lslo_cli.world import sentences; print(sentences('test'), sentences('pretrain', 500))"

    def printed(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.check_output([sys.executable, "-c", program], env=environment)

    assert printed("1") == printed("2") != b""


def test_the_text_is_the_one_that_the_shipped_base_model_was_trained_on():
    text = json.dumps([sentences(split) for split in WorldSplit])
    expected = "b9eca0920e076d4fb313627b592f8666d2627e8cdd035861492a9adfb21433d4"
    assert hashlib.sha256(text.encode()).hexdigest() == expected


def test_written_text_is_in_the_flores_layout_with_blank_lines_for_gaps(tmp_path):
    files = write_world(tmp_path, ["train", "pretrain"], rows=30)
    assert len(files) == 24 and tmp_path / "train" / "qhe.train" in files
    for split in ("train", "pretrain"):
        for code, lines in sentences(split, 30).items():
            assert (tmp_path / split / f"{code}.{split}").read_text().split("\n")[:-1] == lines


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(UsageError, match="no split 'tst'. Did you mean 'test'?"):
        sentences("tst")


@pytest.mark.parametrize("rows", [0, -1, 10_000])
def test_a_split_has_only_its_rows(rows):
    with pytest.raises(UsageError, match=str(rows)):
        sentences("test", rows)
