import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.run_names import in_proportion, row_settings
from lslo_cli.paper import printed_table
from lslo_cli.recipe import resolve


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("full", {"train.method": "full", "train.gps": 0.0}),
        ("full-lr2e-4", {"train.method": "full", "train.gps": 0.0, "fit.lr_full": 2e-4}),
        ("8-8-8", {"train.ranks": "8,8,8", "train.gps": 0.0}),
        ("2-2-8-gps0.9", {"train.ranks": "2,2,8", "train.gps": 0.9, "train.sites": "all"}),
        ("2-2-8-source-gps0.9", {"train.index": "source", "train.gps": 0.9}),
        ("fc-2-2-16-gps0.9", {"train.sites": "fc", "train.ranks": "2,2,16"}),
        ("2-2-8-gps0.9", {"train.gps_classes": ["high", "medium"], "train.prune_targets": "both"}),
        ("2-2-8-gps0.9-low-very-low", {"train.gps_classes": ["low", "very-low"]}),
        ("8-gps0.9-auto-B", {"train.gps_classes": "auto", "train.prune_targets": "B"}),
        ("2-2-8-gps0.9-B-E5-k8", {"train.prune_targets": "B", "train.gps_start": 5}),
        ("2-2-8-gps0.9-E5-k8", {"train.gps_start": 5, "train.gps_duration": 8}),
    ],
)
def test_the_name_of_a_row_says_what_is_trained(name, settings):
    assert settings.items() <= row_settings(name).items()


def test_what_a_name_leaves_out_is_the_recipes():
    assert "train.index" not in row_settings("2-2-8-gps0.9")
    assert "train.gps_start" not in row_settings("2-2-8-gps0.9")


@pytest.mark.parametrize(
    "name", ["", "ful", "2;2;8", "2-2-8-gps", "full-lr", "full-lr1.2.3", "full-lre", "2-2-8-E5-k8", "mlp-8"]
)
def test_a_name_of_no_known_form_is_refused_with_the_forms(name):
    with pytest.raises(UsageError, match="cannot parse the run's name") as error:
        row_settings(name)
    assert "2-2-8-gps0.9" in error.value.hint


@pytest.mark.parametrize(("of", "schedule"), [(15, (7, 8)), (8, (4, 4)), (5, (2, 3)), (2, (1, 1))])
def test_a_schedule_keeps_its_place_where_there_are_fewer_epochs(of, schedule):
    settings = row_settings("2-2-8-gps0.9-E7-k8", of)
    assert (settings["train.gps_start"], settings["train.gps_duration"]) == schedule


def test_no_schedule_of_table_8_outgrows_its_epochs():
    for epochs in range(2, 40):
        for start, duration in ((2, 8), (5, 8), (7, 8), (2, 2), (7, 2)):
            assert in_proportion(start, epochs) + in_proportion(duration, epochs) <= epochs


@pytest.mark.parametrize("number", [1, 2, 3, 4, 8])
def test_a_table_has_the_papers_rows(number):
    assert resolve(f"table-{number}").reproduce.runs == tuple(row.key for row in printed_table(number).rows)
