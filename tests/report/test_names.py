import shutil

import pytest

from lslo_cli.errors import InputError
from lslo_cli.paper import printed_table
from lslo_cli.report.reading import read_studies

NAMES = sorted({row.key for number in (1, 3, 4, 8) for row in printed_table(number).rows} - {"base"})


@pytest.mark.parametrize("name", [*NAMES, "full-lr2e-4", "ablation", "auto-gps0.9", "2025-01-15"])
def test_a_run_that_is_what_its_name_says_passes(name, written, tmp_path):
    written(tmp_path).training(name)
    (study,) = read_studies([tmp_path])
    assert list(study.seeds[0].trainings) == [name]


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("2-2-8-gps0.9", {"target_ratio": 0.5}, "pruning ratio 0.5"),
        ("2-2-8", {"target_ratio": 0.9}, "pruning ratio 0.9"),
        ("4-4-4", {"ranks": {"en": 4, "fr": 2, "zh": 4, "oc": 4}}, "ranks 2/4,4,4"),
        ("8-8-8", {"method": "lora"}, "method lora"),
        ("full", {"method": "lslo"}, "method lslo"),
        ("fc-2-2-16-gps0.9", {"sites": "all"}, "sites all"),
        ("2-2-8-target-gps0.9", {"index_source": "learned"}, "index learned"),
        ("2-2-8-gps0.9", {"pruned_languages": ["oc"]}, "pruned languages oc"),
        ("2-2-8-gps0.9", {"prune_targets": "B"}, "pruned matrices B"),
    ],
)
def test_a_run_that_is_something_else_is_refused(name, settings, said, written, tmp_path):
    written(tmp_path).training(name, **settings)
    with pytest.raises(InputError, match=f"is named {name}, but was trained with {said}") as error:
        read_studies([tmp_path])
    again = f"my-{name}"
    place = f"--results {tmp_path.parent} --name {tmp_path.name}"
    assert error.value.hint.endswith(f"lslo train {place} --settings-of {name} --run {again}")
    shutil.rmtree(tmp_path / "runs" / name)
    written(tmp_path).training(again, **settings)
    (study,) = read_studies([tmp_path])
    assert list(study.seeds[0].trainings) == [again]
