"""What ``from lslo_cli import ...`` offers: the page on notebooks runs, and names are those of the door."""

from __future__ import annotations

import random
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lslo_cli
from lslo_cli import api
from lslo_cli.cli.app import app
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import LsloWarning, Noted
from lslo_cli.method.languages import Direction
from lslo_cli.models.model_languages import WORLD_FOLDER
from lslo_cli.parsing import parse_toml
from lslo_cli.tasks import choices
from lslo_cli.tasks.decoding import translate_all

pytestmark = pytest.mark.filterwarnings("ignore::lslo_cli.events.LsloWarning")

PAGE = Path(__file__).parent.parent / "docs" / "notebooks.md"


@pytest.fixture
def base(tiny):
    settings = {"run.device": "cpu", "evaluate.beam": 1, "evaluate.max_new_tokens": 10}
    return lslo_cli.load_base(str(tiny.base), settings)


def test_the_lines_of_the_page_run_and_the_adapters_are_better(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    fewer = "".join(blocks).replace('"data.train_rows": 300', '"data.train_rows": 100')
    values: dict = {}
    exec(fewer, values)
    assert values["after"]["chrF++"].value > values["before"]["chrF++"].value
    assert len([line for line in blocks[0].splitlines() if line]) <= 12
    assert (tmp_path / values["folder"] / "training.json").is_file()
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_package_names_what_its_door_offers():
    made_there = {
        name for name, value in vars(api).items() if getattr(value, "__module__", "") == api.__name__
    }
    assert {name for name in made_there if not name.startswith("_")} <= set(lslo_cli.__all__)
    assert set(lslo_cli.__all__) <= set(dir(lslo_cli))
    assert all(getattr(lslo_cli, name) is getattr(api, name) for name in lslo_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'transalte'"):
        _ = lslo_cli.transalte
    assert (Path(lslo_cli.__file__).parent / "py.typed").is_file()


def test_a_line_several_lines_and_several_targets(base):
    one = lslo_cli.translate(base, "taro", src="qta", tgt="qki")
    assert isinstance(one, str) and one
    assert lslo_cli.translate(base, ["", "taro"], src="qta", tgt="qki") == ["", one]
    both = lslo_cli.translate(base, ["taro"], src="qta", tgt=["qso", "qki"])
    assert both[0][1] == one and len(both[0]) == 2


def test_a_score_has_its_signature(base):
    translations = lslo_cli.translate(base, ["taro", "miro taro"], src="qta", tgt="qki")
    scores = lslo_cli.evaluate(base, ["taro", "miro taro"], translations, src="qta", tgt="qki")
    assert scores["chrF++"].value == pytest.approx(100)
    assert "tok:spm-local" in scores["spBLEU"].signature


def test_sources_and_references_that_do_not_pair_are_refused_before_they_are_translated(base, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the sources were translated")

    monkeypatch.setattr(api, "translate_all", refuse)
    pair = {"src": "qta", "tgt": "qki"}
    with pytest.raises(InputError, match="2 sources cannot be scored against 1 reference"):
        lslo_cli.evaluate(base, ["taro", "miro"], ["taro"], **pair)
    with pytest.raises(UsageError, match="'kosta rolike' is one text, where a list of sources is needed"):
        lslo_cli.evaluate(base, "kosta rolike", "kosta rolike", **pair)
    with pytest.raises(UsageError, match="'taro' is one text, where a list of references is needed"):
        lslo_cli.evaluate(base, ["taro"], "taro", **pair)
    with pytest.raises(UsageError, match="reference 1 is None"):
        lslo_cli.evaluate(base, ["taro"], [None], **pair)


def test_nothing_to_translate_is_no_translation_and_nothing_to_score_is_refused(base):
    pair = {"src": "qta", "tgt": "qki"}
    assert lslo_cli.translate(base, [], **pair) == []
    assert lslo_cli.translate(base, [], src="qta", tgt=["qki", "qso"]) == []
    with pytest.raises(UsageError, match="there is no sentence to evaluate"):
        lslo_cli.evaluate(base, [], [], **pair)
    with pytest.raises(UsageError, match="there is no sentence to evaluate"):
        lslo_cli.evaluate(base, ["", "taro"], ["taro", "\u200b"], **pair)


def test_a_pair_with_a_gap_is_left_out_of_a_score_with_a_warning(base):
    pair = {"src": "qta", "tgt": "qki"}
    whole = lslo_cli.evaluate(base, ["taro", "miro"], ["rota", "roti"], **pair)
    with pytest.warns(LsloWarning, match="^left out 2 pairs with an empty source or reference$"):
        scores = lslo_cli.evaluate(base, ["taro", " ", "miro", "taro"], ["rota", "mi", "roti", ""], **pair)
    assert scores == whole


def test_a_list_in_one_text_is_read_as_the_command_line_reads_it(tiny, write):
    settings = {"langs": "qta,qso,qki", "model.name": str(tiny.base), "data.path": str(tiny.text)}
    asked = {**settings, "data.directions": "qta-qso, qso-qta", "train.gps_classes": "auto"}
    recipe = lslo_cli.open_experiment(None, asked).recipe
    assert recipe.data.directions == ("qta-qso", "qso-qta") and recipe.train.gps_classes == "auto"
    file = write({"x.toml": '[data]\ndirections = "qta-qso,qso-qta"\n'}) / "x.toml"
    with pytest.raises(UsageError, match=r'it is a list: write \["qta-qso", "qso-qta"\]'):
        lslo_cli.open_experiment(str(file), settings)


def test_languages_in_one_text_are_refused_with_the_list_to_write():
    with pytest.raises(UsageError, match="langs is one text, 'qta,qha'") as error:
        lslo_cli.load_corpus("world", "qta,qha", "test")
    assert error.value.hint == "write a list of codes: ['qta', 'qha']"


def test_a_source_is_cut_for_a_score_as_the_command_cuts_it(tiny):
    short = lslo_cli.load_base(str(tiny.base), {"data.max_length": 8, "evaluate.metric_model": "base"})
    line = "taro miro taro. miro taro miro taro. taro miro"
    direction = Direction("qta", "qki")
    (cut,) = translate_all(short.setup, {direction: [line]}, None, "translating")[direction]
    assert cut != lslo_cli.translate(short, line, src="qta", tgt="qki")  # sentence by sentence
    scores = lslo_cli.evaluate(short, [line], [cut], src="qta", tgt="qki")
    assert scores["chrF++"].value == pytest.approx(100)


def test_invisible_lines_stay_empty(base):
    assert lslo_cli.translate(base, ["\u200b", "\ufeff", "taro"], src="qta", tgt="qki")[:2] == ["", ""]


def test_a_model_translates_as_before_after_another_is_loaded(tiny):
    first = lslo_cli.load_base(str(tiny.base), {"run.precision": "bf16", "run.device": "cpu"})
    before = lslo_cli.translate(first, "taro miro", src="qta", tgt="qki")
    lslo_cli.load_base(str(tiny.base), {"evaluate.beam": 1, "run.device": "cpu"})
    assert first.setup.accelerator.mixed_precision == "bf16"
    assert lslo_cli.translate(first, "taro miro", src="qta", tgt="qki") == before


def test_what_is_misspelt_is_named(tiny):
    with pytest.raises(UsageError, match="unknown key 'evaluate.beem'"):
        lslo_cli.load_base(str(tiny.base), {"evaluate.beem": 1})
    with pytest.raises(InputError, match="nowhere"):
        lslo_cli.load_adapter("./nowhere")


def test_the_base_is_the_one_in_settings_and_not_another_beside_it(tiny):
    on_cpu = {"run.device": "cpu"}
    named = lslo_cli.load_base(settings={**on_cpu, "model.name": Path(tiny.base)})
    assert named.setup.base.identity.name == str(tiny.base)
    assert lslo_cli.load_base(Path(tiny.base), on_cpu).setup.base.identity == named.setup.base.identity
    assert lslo_cli.load_base(settings=on_cpu).setup.base.identity.name == "world"
    with pytest.raises(UsageError, match=f"the model is world, and {tiny.base} in settings"):
        lslo_cli.load_base("world", {"model": {"name": str(tiny.base)}})


@pytest.mark.parametrize(
    "settings",
    [
        {"langs": "qta,qso"},
        {"train.method": "lora"},
        {"adapters": {"span": "all"}},
        {"weight-learn.epochs": 1},
    ],
)
def test_settings_without_effect_on_a_model_that_is_loaded_are_refused(tiny, settings, tmp_path):
    for load in (
        lambda: lslo_cli.load_base(tiny.base, settings),
        lambda: lslo_cli.load_adapter("x", None, settings),
    ):
        with pytest.raises(UsageError, match=r"the setting \S+ has no effect on a model that is loaded"):
            load()


def test_a_search_has_no_setting_that_does_nothing(base):
    asked = {"src": "qta", "tgt": "qki"}
    with pytest.raises(UsageError, match="nbest = 2: one translation of a line is returned"):
        lslo_cli.translate(base, "taro", **asked, nbest=2)
    with pytest.raises(UsageError, match="unknown setting 'beem'. Did you mean 'beam'?"):
        lslo_cli.translate(base, "taro", **asked, beem=2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda b: lslo_cli.translate(b, "a", src=None, tgt="qki"), "None is no language"),
        (lambda b: lslo_cli.translate(b, "a", src="qta", tgt=None), "None is no language"),
        (lambda b: lslo_cli.translate(b, "a", src="qta", tgt=[3]), "3 is no language"),
        (lambda b: lslo_cli.translate(b, 5, src="qta", tgt="qki"), "5 is no list of lines"),
        (lambda b: lslo_cli.translate(b, "a", src="qta", tgt="qki", buffer="3"), "a buffer of '3' lines"),
        (lambda b: lslo_cli.translate("world", "a", src="qta", tgt="qki"), "a translator cannot be 'world'"),
        (lambda b: lslo_cli.evaluate(b, ["a"], ["b"], src="qta", tgt=["qki"]), r"\['qki'\] is no language"),
        (lambda b: lslo_cli.evaluate(0, [""], [""], src="qta", tgt="qki"), "a translator cannot be 0"),
        (lambda b: lslo_cli.load_base(5), "model cannot be 5"),
        (lambda b: lslo_cli.load_base("world", ["x"]), r"settings cannot be \['x'\]"),
        (lambda b: lslo_cli.load_adapter(5), "the folder of a run cannot be 5"),
        (lambda b: lslo_cli.load_corpus("world", None), "langs cannot be None"),
        (lambda b: lslo_cli.load_corpus("world", ["qta", 5]), "a language of langs cannot be 5"),
        (lambda b: lslo_cli.load_corpus("world", ["qta"], "test").pairs(("qta", "qki")), "is no direction"),
        (lambda b: lslo_cli.open_experiment({"a": 1}), "a recipe cannot be {'a': 1}"),
        (lambda b: lslo_cli.train("demo"), "an experiment cannot be 'demo'"),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_refused_by_name_with_a_hint(base, call, said):
    with pytest.raises(UsageError, match=said) as error:
        call(base)
    assert error.value.hint


@pytest.mark.parametrize("pieces", ["base", "base/sentencepiece.bpe.model"])
def test_a_relative_base_is_scored_with_from_another_working_folder(pieces, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.base.parent)
    settings = {"run.device": "cpu", "evaluate.max_new_tokens": 4, "evaluate.metric_model": pieces}
    base = lslo_cli.load_base(tiny.base.name, settings)
    monkeypatch.chdir(tmp_path)
    assert lslo_cli.evaluate(base, ["taro"], ["taro"], src="qta", tgt="qki")["spBLEU"].value >= 0


def test_an_experiment_has_the_languages_and_classes_of_the_command_line(tiny, write):
    text = write({f"text/train.{code}": "a b\n" * 3 for code in ("en", "kk", "tr")}) / "text"
    settings = {"langs": "en,kk,tr", "classes": "text", "model.name": "m2m-100-418m", "data.path": str(text)}
    experiment = lslo_cli.open_experiment(None, settings)
    assert choices.run_name(experiment) == "2-8-gps0.9"
    assert [str(language.resource) for language in experiment.recipe.selected_languages()] == [
        "high", "very-low", "very-low"
    ]  # fmt: skip
    own = shutil.copytree(WORLD_FOLDER, text.parent / "own")
    for name in ("dict.txt", "training.json"):
        (own / name).write_text((own / name).read_text().replace("qta", "tyv"))
    languages = {"langs": "tyv,qki", "model.name": str(own), "data.path": str(text)}
    found = lslo_cli.open_experiment(None, languages)
    assert [language.code for language in found.recipe.selected_languages()] == ["tyv", "qki"]
    with pytest.raises(UsageError, match="unknown language 'tyw'"):
        lslo_cli.open_experiment(None, {**languages, "langs": "tyw,qki"})


def test_the_command_line_goes_on_with_an_experiment_of_the_door(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = {
        "name": "mine",
        "langs": ["qta", "qso", "qki", "qka"],
        "data.path": str(tiny.text),
        "data.train": "train",
        "data.test": "test",
        "model.name": str(tiny.base),
        "seed": 5,
    }
    settings = {**kept, "languages": {"qka": {"resource": "low"}}, "data.train_rows": 2, "fit.epochs": 1}
    settings |= {"train.ranks": "1,1,1", "train.gps": 0.0, "train.index": "paper", "run.device": "cpu"}
    experiment = lslo_cli.open_experiment(None, settings)
    assert not experiment.folder.path.exists()
    run = lslo_cli.train(experiment)
    memory = parse_toml((tmp_path / "out/mine/experiment.toml").read_text(encoding="utf-8"))
    assert memory == {"given": {**kept, "languages.qka.resource": "low"}}
    few = ("--set", "data.test_rows=1", "--set", "evaluate.max_new_tokens=4", "--metric-model", "base")
    evaluated = CliRunner().invoke(app, ["evaluate", *few], prog_name="lslo")
    assert evaluated.exit_code == 0, evaluated.output
    assert (run / "evaluation.json").is_file()


def test_a_recipe_and_settings_may_be_paths(tiny, write, tmp_path):
    recipe = write({"t.toml": 'name = "mine"\n[train]\nranks = "1,1,1"\n'}) / "t.toml"
    settings = {"langs": "qta,qso,qki", "data.path": Path(tiny.text), "model.name": Path(tiny.base)}
    experiment = lslo_cli.open_experiment(recipe, settings, tmp_path / "out")
    experiment.remember()
    memory = parse_toml((tmp_path / "out/mine/experiment.toml").read_text(encoding="utf-8"))
    assert memory["recipe"] == str(recipe) and memory["given"]["data.path"] == str(tiny.text)


def test_the_door_leaves_what_an_experiment_remembers_and_refuses_a_damaged_memory(tmp_path):
    memory = tmp_path / "demo/experiment.toml"
    memory.parent.mkdir()
    memory.write_text('recipe = "mine.toml"\n[given]\nseed = 9\n', encoding="utf-8")
    experiment = lslo_cli.open_experiment("demo", {"seed": 3, "data.dev_rows": 4}, tmp_path)
    assert experiment.recipe.seed == 3
    assert (experiment.memory.recipe, experiment.memory.given) == (
        "mine.toml",
        {"seed": 9, "data.dev_rows": 4},
    )
    memory.write_text("recipe = 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"experiment\.toml cannot be read"):
        lslo_cli.open_experiment("demo", None, tmp_path)


def test_classes_by_text_are_remembered_as_they_were_counted(write, tmp_path):
    text = write({f"text/train.{code}": "a b\n" * 3 for code in ("en", "kk", "tr")}) / "text"
    given = {"langs": "en,kk,tr", "classes": "text", "model.name": "m2m-100-418m", "data.path": str(text)}
    memory = lslo_cli.open_experiment(None, given, tmp_path).memory
    assert memory.given["languages.kk.resource"] == "very-low" and memory.given["classes"] == "text"


def test_results_and_text_may_be_below_home(tmp_path, monkeypatch, write):
    monkeypatch.setenv("HOME", str(tmp_path))
    write({"text/train.en": "a\nb\n", "text/train.kk": "c\nd\n"})
    assert lslo_cli.open_experiment("demo", results="~/out").folder.path == tmp_path / "out" / "demo"
    (section,) = lslo_cli.load_corpus("~/text", ["en", "kk"], "train").sections
    assert section.text["kk"] == ["c", "d"]
    assert lslo_cli.load_corpus(Path("~/text"), ["en", "kk"], "train").digest


@pytest.fixture
def short(tiny):
    """The settings of a training of a second."""
    experiment = {"langs": "qta,qso,qki,qka", "data.path": str(tiny.text), "model.name": str(tiny.base)}
    training = {"fit.epochs": 1, "data.train_rows": 2, "train.ranks": "1,1,1", "train.gps": 0.0}
    return {**experiment, **training, "train.index": "paper", "run.device": "cpu"}


def test_a_training_that_was_interrupted_goes_on_after_its_last_epoch(short, tmp_path):
    experiment = lslo_cli.open_experiment(None, {**short, "fit.epochs": 3, "data.dev_rows": 1}, tmp_path)

    def stop(event):
        if isinstance(event, Noted) and event.text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lslo_cli.train(experiment, on_event=stop)
    events = []
    folder = lslo_cli.train(experiment, on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert "resuming training 1-1-1-paper after epoch 1 of 3" in notes
    assert not any(note.startswith("epoch 1") for note in notes)
    assert (folder / "training.json").is_file()


def test_a_script_is_warned_of_a_run_that_is_replaced_and_of_what_is_cut(base, short, tmp_path):
    def folder(lr):
        return lslo_cli.train(lslo_cli.open_experiment(None, {**short, "fit.lr": lr}, tmp_path))

    with pytest.warns(LsloWarning, match="training 1-1-1-paper changed nothing") as told:
        run = folder(0.1)
    assert len(told) == 1
    replaced = r"this replaces run 1-1-1-paper, trained with fit\.lr=0\.1"
    with warnings.catch_warnings():
        warnings.simplefilter("error", LsloWarning)
        with pytest.raises(LsloWarning, match=replaced):
            folder(0.2)
    with pytest.warns(LsloWarning, match=replaced):
        assert folder(0.2) == run
    base.setup.base.tokenizer.unused = [base.setup.base.tokenizer.eos_id]
    with pytest.warns(LsloWarning, match="1 translation ended at the limit on length and may be cut") as cut:
        lslo_cli.translate(base, "taro", src="qta", tgt="qki")
    assert {warning.filename for warning in (*told, *cut)} == {__file__}  # at the script's own lines


def test_the_random_generators_of_the_caller_stay_as_they_are(tiny, short, tmp_path):
    def drawn():
        return random.random(), np.random.random(), torch.rand(1).item()

    def seed():
        random.seed(7)
        np.random.seed(7)
        torch.manual_seed(7)

    seed()
    expected = drawn()
    experiment = lslo_cli.open_experiment(None, short, tmp_path)
    seed()
    lslo_cli.load_base(str(tiny.base), {"run.device": "cpu"})
    assert drawn() == expected
    seed()
    folder = lslo_cli.train(experiment)
    assert drawn() == expected
    seed()
    lslo_cli.load_adapter(folder, settings={"run.device": "cpu"})
    assert drawn() == expected
