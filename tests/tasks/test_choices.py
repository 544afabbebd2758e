"""Where index, ranks and names come from."""

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.adapters import Span
from lslo_cli.method.allocation import Allocation, Rule, allocate
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.run_names import row_settings
from lslo_cli.tasks import choices
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.choices import run_name

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def index_of(written):
    return written.artifact.result.index


@pytest.mark.parametrize(
    ("index", "encoder"),
    [("paper", ["source", "source"]), ("source", ["source", "source"]), ("target", ["target", "target"])],
)
def test_an_index_can_be_named(new_experiment, index, encoder):
    written = tasks.train(new_experiment(**{"train.ranks": "2,2,8", "train.index": index}))
    assert index_of(written) == {
        "encoder.1": encoder[0],
        "encoder.2": encoder[1],
        "decoder.1": "target",
        "decoder.2": "target",
    }
    assert written.artifact.inputs == []
    assert written.artifact.result.index_source == index


def test_the_learned_index_is_used_where_there_is_one_and_else_the_papers(
    new_experiment, finished_experiment, finished, heard
):
    assert tasks.train(new_experiment(**GPS), on_event=heard).artifact.result.index_source == "paper"
    assert any("using the paper's" in note for note in heard.notes)
    heard.clear()
    written = tasks.train(finished_experiment(**GPS), on_event=heard)
    learned = {row.layer: row.index for row in finished[1]["index-strategy.json"].result.layers}
    assert index_of(written) == learned
    assert any(note.startswith("index strategy: ") for note in heard.notes)


def test_an_index_can_be_a_file_of_another_experiment(new_experiment, finished):
    folder, artifacts = finished
    changes = {**GPS, "train.index": str(folder / "index-strategy.json")}
    written = tasks.train(new_experiment(**changes))
    (item,) = written.artifact.inputs
    assert item.digest == artifacts["index-strategy.json"].digest
    assert (written.path.parent / item.path).resolve() == (folder / "index-strategy.json").resolve()


def test_without_a_learned_index_asking_for_it_names_the_command_that_makes_it(new_experiment):
    with pytest.raises(InputError, match="no index-strategy at") as error:
        tasks.train(new_experiment(**{**GPS, "train.index": "learned"}))
    assert "lslo weight-learn" in error.value.hint


def test_a_misspelt_index_is_a_usage_error_with_the_nearest(new_experiment):
    with pytest.raises(UsageError, match="unknown index 'sorce'.*source"):
        tasks.train(new_experiment(**{**GPS, "train.index": "sorce"}))


def test_the_estimate_uses_the_index_that_it_is_told(new_experiment):
    written = tasks.estimate_subspace(new_experiment(**{"estimate_subspace.index": "source"}))
    assert written.artifact.inputs == []


def test_an_estimate_by_language_lies_beside_the_other(finished_experiment, finished):
    written = tasks.estimate_subspace(finished_experiment(**{"estimate_subspace.pool": "language"}))
    assert written.path.name == "subspace-language.json"
    assert store.read(finished_experiment().folder.subspace, SubspaceResult) == finished[1]["subspace.json"]


def test_ranks_come_from_the_estimate_when_asked(finished_experiment, finished):
    estimate = finished[1]["subspace.json"]
    written = tasks.train(finished_experiment(**{"train.ranks": "auto"}))
    assert written.path.parent.name == "auto"
    assert written.artifact.result.ranks == estimate.result.ranks
    assert written.artifact.input_digest("subspace") == estimate.digest


def test_the_estimate_is_divided_by_the_rule_and_the_budget_that_are_asked_for(finished_experiment, finished):
    found = finished[1]["subspace.json"].result.estimate()
    for rule, budget, total in (("sign", None, 16), ("spectrum", "same-as:1,1,3", 6)):
        changes = {"train.ranks": "auto", "train.rule": rule, "train.budget": budget}
        written = tasks.train(finished_experiment(**changes))
        ranks = {code: rank for code, rank in allocate(found, total, Rule(rule)).ranks.items() if rank}
        assert written.artifact.result.ranks == ranks
        name = "-".join(["auto", rule, *(["same-as-1-1-3"] if budget else [])])
        assert written.path.parent.name == name


def test_an_estimate_of_more_languages_spends_the_whole_budget_on_those_of_the_run(
    finished_experiment, finished
):
    estimate = finished[1]["subspace.json"]
    fewer = finished_experiment(langs="qta,qso,qka", **{"train.ranks": "auto", "train.gps": "auto"})
    found = choices.Choices(fewer, estimate.model)
    chosen = found.allocation.value
    assert list(chosen.ranks) == ["qta", "qso", "qka"] and sum(chosen.ranks.values()) == 12
    assert chosen == allocate(estimate.result.estimate().of(chosen.ranks), 12)
    pruned = found.pruned.value
    assert pruned == chosen.pruned and "qki" not in pruned


def test_a_budget_in_parameters_is_what_the_run_trains_at_most(finished_experiment, finished):
    shape = finished[1]["subspace.json"].model.shape
    unit = RankMap({"one": 1}).parameters(shape, span=Span.D_MODEL)
    written = tasks.train(finished_experiment(**{"train.ranks": "auto", "train.budget": str(7 * unit + 5)}))
    assert written.artifact.result.trainable_parameters == 7 * unit


def test_a_rule_without_its_data_is_refused(finished_experiment):
    with pytest.raises(UsageError, match="needs the gain of each language on dev text"):
        tasks.train(finished_experiment(**{"train.ranks": "auto", "train.rule": "gain"}))


def test_the_estimate_may_say_who_is_pruned(finished_experiment, finished, heard):
    found = finished[1]["subspace.json"].result.estimate()
    written = tasks.train(
        finished_experiment(**{"train.ranks": "2,2,8", "train.gps": "auto"}), on_event=heard
    )
    result = written.artifact.result
    assert written.path.parent.name == "2-2-8-gps0.9-auto"
    assert result.pruned_languages == list(allocate(found, 16).pruned)
    assert 0 < len(result.pruned_languages) < 4 and result.target_ratio == 0.9
    assert written.artifact.input_digest("subspace") == finished[1]["subspace.json"].digest


def test_languages_of_rank_0_have_no_adapter_and_are_told(finished_experiment, finished, heard, monkeypatch):
    shares = {"qta": 0.0, "qso": 0.0, "qki": 0.4, "qka": 0.6}
    divided = Allocation(Rule.GAIN, {"qta": 0, "qso": 0, "qki": 6, "qka": 10}, shares)
    monkeypatch.setattr(choices, "allocate", lambda *arguments: divided)
    written = tasks.train(finished_experiment(**{"train.ranks": "auto"}), on_event=heard)
    assert written.artifact.result.ranks == {"qki": 6, "qka": 10}
    assert any(note.startswith("no adapter for qta, qso") for note in heard.notes)
    (base, run) = tasks.evaluate(finished_experiment(), runs=["base", "auto"], force=True)
    folders = [finished_experiment().folder.run(name).whole.hypotheses for name in ("base", "auto")]
    for name in ("qta-qso.txt", "qso-qta.txt"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert base.artifact.result.hypotheses_digest != run.artifact.result.hypotheses_digest


def test_a_flat_map_says_so(finished_experiment, heard):
    tasks.train(finished_experiment(**{"train.ranks": "auto", "train.rule": "kept"}), on_event=heard)
    assert not any("rank map is flat" in note for note in heard.notes)
    flat = finished_experiment(**{"estimate_subspace.target_ratio": 0.0})
    tasks.estimate_subspace(flat)
    heard.clear()
    written = tasks.train(
        finished_experiment(**{"train.ranks": "auto", "train.rule": "kept"}), run="again", on_event=heard
    )
    assert any("this rank map is flat" in note for note in heard.notes)
    assert set(written.artifact.result.ranks.values()) == {4}


def test_without_ranks_the_run_is_the_papers_whether_there_is_an_estimate_or_not(
    finished_experiment, new_experiment, heard
):
    for experiment in (finished_experiment(), new_experiment()):
        heard.clear()
        written = tasks.train(experiment, on_event=heard)
        result = written.artifact.result
        assert written.path.parent.name == "2-2-8-gps0.9"
        assert result.ranks == {"qta": 2, "qso": 2, "qki": 2, "qka": 8}
        assert (result.target_ratio, result.pruned_languages) == (0.9, ["qta", "qso", "qki"])
        said = next(note for note in heard.notes if note.startswith("ranks 2,2,8 with --gps 0.9"))
        assert "--ranks auto" in said
        assert ("subspace.json" in said) == experiment.folder.subspace.exists()


def test_only_the_papers_ratio_is_called_the_papers_choice(new_experiment, heard):
    recipe = {"train.gps": 0.5, "train.ranks": None}
    tasks.train(new_experiment(**recipe), on_event=heard)
    said = next(note for note in heard.notes if note.startswith("ranks 2,2,8"))
    assert said.startswith("ranks 2,2,8, the paper's choice, with --gps 0.5; ")


def test_pruning_can_be_switched_off_and_ranks_that_are_given_are_not_pruned(new_experiment):
    assert run_name(new_experiment(**{"train.gps": 0.0})) == "2-2-8"
    assert run_name(new_experiment(**{"train.ranks": "2,2,8"})) == "2-2-8"
    assert run_name(new_experiment(**{"train.ranks": "auto"})) == "auto"
    assert run_name(new_experiment(**{"train.method": "full"})) == "full"


def test_a_run_in_which_no_class_is_pruned_is_not_named_by_a_ratio_and_is_up_to_date(new_experiment):
    low = {f"languages.{code}.resource": "very-low" for code in ("qta", "qso", "qki", "qka")}
    written = tasks.train(new_experiment(**low))
    assert (written.path.parent.name, written.artifact.result.target_ratio) == ("8", 0.0)
    assert tasks.train(new_experiment(**low), reuse=True).up_to_date
    assert run_name(new_experiment(**low, **{"train.gps_classes": ["very-low"]})) == "8-gps0.9-very-low"
    assert run_name(new_experiment(**low, **{"train.gps": "auto"})) == "8-gps0.9-auto"


def test_ranks_can_come_from_another_file(new_experiment, finished):
    path = finished[0] / "subspace.json"
    experiment = new_experiment(**{"train.subspace": str(path)})
    written = tasks.train(experiment)
    assert written.artifact.input_digest("subspace") == finished[1]["subspace.json"].digest
    assert written.path.parent.name == "auto-gps0.9"
    asked = written.artifact.recipe["train"]
    assert (asked["ranks"], asked["gps"], asked["subspace"]) == ("auto", 0.9, str(path))
    assert tasks.train(experiment, reuse=True).up_to_date


def test_one_estimate_is_read_and_divided_once_for_ranks_and_for_whom_to_prune(
    finished_experiment, monkeypatch
):
    divided = []
    monkeypatch.setattr(choices, "allocate", lambda *given: divided.append(given) or allocate(*given))
    written = tasks.train(finished_experiment(**{"train.ranks": "auto", "train.gps": "auto"}))
    assert len(divided) == 1 and len(written.artifact.inputs) == 2


@pytest.mark.parametrize("changes", [GPS, {"train.method": "lora"}, {"train.method": "full"}])
def test_a_run_without_an_estimate_has_no_use_for_the_file_of_one(new_experiment, changes):
    experiment = new_experiment(**changes, **{"train.subspace": "missing.json"})
    assert tasks.train(experiment).artifact.inputs == []
    assert tasks.train(experiment, reuse=True).up_to_date


def test_a_run_from_before_the_key_of_the_file_is_up_to_date(new_experiment):
    written = tasks.train(new_experiment(**GPS))
    recipe = {key: value for key, value in written.artifact.recipe["train"].items() if key != "subspace"}
    older = written.artifact.model_copy(update={"recipe": {**written.artifact.recipe, "train": recipe}})
    store.write(written.path, older)
    assert tasks.train(new_experiment(**GPS), reuse=True).up_to_date


def test_without_an_estimate_its_ranks_are_refused(new_experiment):
    with pytest.raises(InputError, match="no subspace at") as error:
        tasks.train(new_experiment(**{"train.ranks": "auto"}))
    assert "lslo estimate-subspace" in error.value.hint


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"train.method": "full"}, "full"),
        ({"train.method": "lora"}, "lora-r8"),
        ({"train.method": "lora", "train.ranks": "64"}, "lora-r64"),
        ({"train.method": "lora", "train.index": "target"}, "lora-r8"),
        ({"train.ranks": "2,2,8"}, "2-2-8"),
        ({"train.ranks": "2; 2; 8"}, "2-2-8"),
        (GPS, GPS_RUN),
        ({"train.ranks": "2,2,8", "train.sites": "fc"}, "fc-2-2-8"),
        ({"train.ranks": "2,2,8", "train.index": "source"}, "2-2-8-source"),
        ({"train.ranks": "2,2,8", "train.index": "other/strategy.json"}, "2-2-8-strategy"),
        ({"train.ranks": "qta=2,very-low=16,medium=4,high=2"}, "qta2-very-low16-medium4-high2"),
        ({}, GPS_RUN),
        ({"train.gps_classes": ["very-low"]}, f"{GPS_RUN}-very-low"),
        ({"train.gps_classes": ["very-low", "high"]}, f"{GPS_RUN}-high-very-low"),
        ({"train.prune_targets": "B"}, f"{GPS_RUN}-B"),
        ({"train.gps_classes": ["medium", "high", "low"]}, GPS_RUN),  # none of its languages is low
    ],
)
def test_a_run_is_named_after_what_sets_it_apart(new_experiment, changes, name):
    assert run_name(new_experiment(**changes)) == name


@pytest.mark.parametrize("sites", ["", "attn-", "fc-"])
@pytest.mark.parametrize("index", ["", "-source", "-target", "-paper"])
@pytest.mark.parametrize("ratio", ["", "-gps0.9", "-gps0.05-B", "-gps0.9-high-very-low", "-gps0.9-auto-B"])
@pytest.mark.parametrize("ranks", ["8", "2-2-8", "1-16-128"])
def test_the_settings_that_a_name_says_make_a_run_of_that_name(new_experiment, sites, ranks, index, ratio):
    for name in ("full", f"{sites}{ranks}{index}{ratio}"):
        assert run_name(new_experiment(**row_settings(name))) == name
        other = {"train.gps_classes": ["medium"], "train.prune_targets": "B"}
        assert run_name(new_experiment(**{**other, **row_settings(name)})) == name


@pytest.mark.parametrize("name", ["base", "a/b", "..", "/tmp", ".x", "~x"])
def test_a_run_cannot_take_any_name(new_experiment, name, tmp_path):
    with pytest.raises(UsageError, match="a run cannot be named"):
        tasks.train(new_experiment(**GPS), run=name)
    assert list(tmp_path.iterdir()) == []


def test_one_lora_takes_one_rank(new_experiment):
    with pytest.raises(UsageError, match="one LoRA for all languages has one rank, not --ranks 2,2,8"):
        tasks.train(new_experiment(**{"train.method": "lora", "train.ranks": "2,2,8"}))
    written = tasks.train(new_experiment(**{"train.method": "lora"}))
    assert written.path.parent.name == "lora-r8"
    (evaluation,) = tasks.evaluate(new_experiment(), runs=["lora-r8"])
    assert evaluation.artifact.input_digest("training") == written.artifact.digest
