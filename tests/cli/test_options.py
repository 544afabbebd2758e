from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.cli import run
from lslo_cli.cli.app import app
from lslo_cli.cli.commands.base import BaseTrainOptions
from lslo_cli.cli.commands.estimate_subspace import EstimateSubspaceOptions
from lslo_cli.cli.commands.evaluate import EvaluateOptions
from lslo_cli.cli.commands.flare import FlareTrainOptions, FlareTranslateOptions
from lslo_cli.cli.commands.flare_report import FlareReportOptions
from lslo_cli.cli.commands.plot import figure_options
from lslo_cli.cli.commands.prune_report import PruneReportOptions
from lslo_cli.cli.commands.train import TrainOptions
from lslo_cli.cli.commands.weight_learn import WeightLearnOptions
from lslo_cli.cli.flags import describe, flags_of, takes
from lslo_cli.cli.flare_options import FlareOptions
from lslo_cli.cli.options import ClassOptions
from lslo_cli.cli.stage_options import FitOptions, StageOptions
from lslo_cli.errors import UsageError
from lslo_cli.method.adapters import Initialisation, Span
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import Resource
from lslo_cli.method.sites import SiteSet
from lslo_cli.plots.catalogue import figure_named
from lslo_cli.recipe import Device, Keep, Method, Precision, PruneTargets, Recipe, SearchMode, Tracker
from lslo_cli.recipe.keys import key_facts


def parsed(options_class: type, *arguments: str) -> Any:
    """The options that a command line gives."""
    seen: list[Any] = []
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(takes(options_class)(lambda options: seen.append(options)))
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return seen[0]


def value_at(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


HeatmapOptions = figure_options(figure_named("heatmap"))
EVERY_STAGE = [WeightLearnOptions, EstimateSubspaceOptions, TrainOptions, PruneReportOptions, EvaluateOptions]
SHARED = [
    ("--langs", "en,fr,wo", "langs", "en,fr,wo"),
    ("--name", "mine", "name", "mine"),
    ("--model", "world", "model.name", "world"),
    ("--data", "text", "data.path", "text"),
    ("--train", "mine", "data.train", "mine"),
    ("--test", "mine", "data.test", "mine"),
    ("--hold-out", "20", "data.hold_out", 20),
    ("--dev-rows", "20", "data.dev_rows", 20),
    ("--seed", "0", "seed", 0),
    ("--device", "cpu", "run.device", "cpu"),
    ("--precision", "bf16", "run.precision", Precision.BF16),
    ("--threads", "2", "run.threads", 2),
    ("--set", "fit.warmup=7", "fit.warmup", 7),
]
OPTIMISATION = [
    ("--directions", "en-*,*-en", "data.directions", ("en-*", "*-en")),
    ("--lr", "0.5", "fit.lr", 0.5),
    ("--max-tokens", "99", "fit.max_tokens", 99),
    ("--max-tokens", "auto", "fit.max_tokens", "auto"),
    ("--accumulate", "3", "fit.accumulate", 3),
    ("--span", "all", "adapters.span", Span.ALL),
    ("--initialisation", "gaussian", "adapters.initialisation", Initialisation.GAUSSIAN),
    ("--track", "wandb", "run.track", Tracker.WANDB),
]
OWN = [
    (WeightLearnOptions, "--rank", "3", "weight_learn.rank", 3),
    (WeightLearnOptions, "--epochs", "4", "weight_learn.epochs", 4),
    (EstimateSubspaceOptions, "--pool", "layer-kind", "estimate_subspace.pool", Pool.LAYER_KIND),
    (EstimateSubspaceOptions, "--target-ratio", "0.5", "estimate_subspace.target_ratio", 0.5),
    (EstimateSubspaceOptions, "--start-epoch", "1", "estimate_subspace.start_epoch", 1),
    (EstimateSubspaceOptions, "--duration", "3", "estimate_subspace.duration", 3),
    (EstimateSubspaceOptions, "--rank", "3", "estimate_subspace.rank", 3),
    (EstimateSubspaceOptions, "--mean-rank", "2.5", "estimate_subspace.mean_rank", 2.5),
    (EstimateSubspaceOptions, "--quick", None, "estimate_subspace.quick", True),
    (EstimateSubspaceOptions, "--index", "source", "estimate_subspace.index", "source"),
    (EstimateSubspaceOptions, "--epochs", "12", "estimate_subspace.epochs", 12),
    (TrainOptions, "--method", "lora", "train.method", Method.LORA),
    (TrainOptions, "--ranks", "2,2,8", "train.ranks", "2,2,8"),
    (TrainOptions, "--index", "paper", "train.index", "paper"),
    (TrainOptions, "--sites", "attn", "train.sites", SiteSet.ATTENTION),
    (TrainOptions, "--epochs", "12", "fit.epochs", 12),
    (TrainOptions, "--keep", "best", "train.keep", Keep.BEST),
    (TrainOptions, "--curve-rows", "50", "train.curve_rows", 50),
    (TrainOptions, "--curve-rows", "all", "train.curve_rows", "all"),
    (TrainOptions, "--curve-groups", "H2H,en-wo", "train.curve_groups", ("H2H", "en-wo")),
    (TrainOptions, "--budget", "2.5%", "train.budget", "2.5%"),
    (TrainOptions, "--subspace", "other/subspace.json", "train.subspace", "other/subspace.json"),
    (TrainOptions, "--subspace", "other/subspace.json", "train.ranks", "auto"),
    (TrainOptions, "--gps", "0.9", "train.gps", 0.9),
    (TrainOptions, "--gps", "auto", "train.gps_classes", "auto"),
    (TrainOptions, "--gps-classes", "auto", "train.gps_classes", "auto"),
    (TrainOptions, "--gps-start", "3", "train.gps_start", 3),
    (TrainOptions, "--gps-duration", "5", "train.gps_duration", 5),
    (TrainOptions, "--gps-classes", "high", "train.gps_classes", ("high",)),
    (TrainOptions, "--gps-classes", "", "train.gps_classes", ()),
    (TrainOptions, "--prune-targets", "B", "train.prune_targets", PruneTargets.B),
    (EvaluateOptions, "--beam", "1", "evaluate.beam", 1),
    (EvaluateOptions, "--mode", "plain", "evaluate.mode", SearchMode.PLAIN),
    (EvaluateOptions, "--directions", "en-fr, fr-en", "evaluate.directions", ("en-fr", "fr-en")),
    (EvaluateOptions, "--test-rows", "10", "data.test_rows", 10),
    (EvaluateOptions, "--metrics", "ter,spBLEU", "evaluate.metrics", ("TER", "spBLEU")),
    (EvaluateOptions, "--metric-model", "spm.model", "evaluate.metric_model", "spm.model"),
    (EvaluateOptions, "--max-tokens", "99", "evaluate.max_tokens", 99),
]


def has(options_class: type, flag: str) -> bool:
    return flag in {each.name for each in flags_of(options_class)}


@pytest.mark.parametrize(
    ("options_class", "flag", "text", "key", "value"),
    [
        *((each, *row) for each in EVERY_STAGE for row in SHARED if has(each, row[0])),
        *((each, *row) for each in EVERY_STAGE[:3] for row in OPTIMISATION),
        *OWN,
    ],
)
def test_a_flag_sets_its_recipe_key(options_class, flag, text, key, value):
    arguments = [flag] if text is None else [flag, text]
    assert value_at(parsed(options_class, *arguments).resolve(), key) == value


@pytest.mark.parametrize("options_class", [*EVERY_STAGE, BaseTrainOptions, HeatmapOptions])
def test_every_flag_that_sets_a_key_is_tested_and_has_help(options_class):
    tested = {row[0] for row in (*SHARED, *OPTIMISATION)} | {row[1] for row in OWN if row[0] is options_class}
    for flag in flags_of(options_class):
        assert flag.option.help or (flag.key and key_facts(flag.key.name).description)
        assert flag.key is None or flag.name in tested


@pytest.mark.parametrize("options_class", EVERY_STAGE)
def test_nothing_given_leaves_every_default(options_class):
    assert parsed(options_class).resolve() == Recipe()


def test_zero_given_overrides_a_recipe_that_prunes(tmp_path):
    recipe = tmp_path / "pruned.toml"
    recipe.write_text("[train]\ngps = 0.9\n[fit]\nepochs = 15\n")
    assert parsed(TrainOptions, "--recipe", str(recipe)).resolve().train.gps == 0.9
    assert parsed(TrainOptions, "--recipe", str(recipe), "--gps", "0").resolve().train.gps == 0.0


def test_later_sources_win(tmp_path, monkeypatch):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[model]\nname = 'from-recipe'\n")
    monkeypatch.setenv("LSLO_MODEL", "from-environment")
    assert parsed(StageTest).resolve().model.name == "from-environment"
    monkeypatch.setenv("LSLO_RECIPE", str(recipe))
    assert parsed(StageTest).resolve().model.name == "from-recipe"
    assert parsed(StageTest, "--set", "model.name=from-set").resolve().model.name == "from-set"
    both = parsed(StageTest, "--set", "model.name=from-set", "--model", "from-flag")
    assert both.resolve().model.name == "from-flag"


@dataclass(frozen=True, kw_only=True)
class StageTest(StageOptions):
    """A stage without flags of its own."""


@pytest.mark.parametrize(
    ("arguments", "lr", "lr_full"),
    [
        (("--lr", "0.5"), 0.5, 1e-4),
        (("--lr", "0.5", "--method", "full"), 3e-3, 0.5),
        (("--lr", "0.5", "--set", "train.method=full"), 3e-3, 0.5),
        (("--lr", "0.5", "--method", "lora"), 0.5, 1e-4),
    ],
)
def test_lr_is_the_rate_of_the_method_in_use(arguments, lr, lr_full):
    fit = parsed(TrainOptions, *arguments).resolve().fit
    assert (fit.lr, fit.lr_full) == (lr, lr_full)


@pytest.mark.parametrize("options_class", [*EVERY_STAGE, FitOptions])
@pytest.mark.parametrize(
    ("flag", "choices"),
    [
        ("--method", Method),
        ("--sites", SiteSet),
        ("--prune-targets", PruneTargets),
        ("--pool", Pool),
        ("--span", Span),
        ("--mode", SearchMode),
        ("--precision", Precision),
        ("--device", Device),
    ],
)
def test_help_names_exactly_the_choices_there_are(options_class, flag, choices):
    for each in flags_of(options_class):
        if each.name == flag:
            assert each.option.metavar is None
            assert key_facts(each.key.name).choices == tuple(choice.value for choice in choices)


def test_a_wrong_value_is_reported_under_the_name_of_its_flag():
    with pytest.raises(UsageError, match=r"^--gps-duration cannot be 0: "):
        parsed(TrainOptions, "--gps-duration", "0").resolve()


def test_a_wrong_value_of_a_recipe_is_reported_under_its_key(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[train]\ngps_duration = 0\n")
    with pytest.raises(UsageError, match=r"^'train\.gps_duration' cannot be 0"):
        parsed(TrainOptions, "--recipe", str(recipe), "--gps", "0.5").resolve()


def test_the_next_command_repeats_what_chose_the_experiment(monkeypatch):
    options = parsed(
        TrainOptions,
        "--langs",
        "en,fr",
        "--set",
        "seed=1",
        "--set",
        "fit.lr=2",
        "--gps",
        "0.9",
        "--device",
        "cpu",
    )
    assert options.command("plot heatmap") == "lslo plot heatmap --set seed=1 --set fit.lr=2 --langs en,fr"
    assert parsed(TrainOptions).command("evaluate") == "lslo evaluate"


def test_the_next_command_is_given_no_option_that_it_does_not_have():
    words = ["--langs", "en,tr", "--resource", "tr=low", "--data", "text", "--seed", "3", "--name", "mine"]
    options = parsed(EvaluateOptions, *words)
    chosen = options.command("train").split(" --")[1:]
    assert {"data text", "seed 3", "langs en,tr", "resource tr=low", "name mine"} == {*chosen}
    assert options.command("plot directions") == "lslo plot directions --langs en,tr --name mine"
    trained = parsed(TrainOptions, "--langs", "en,tr", "--directions", "en-*")  # others than to evaluate
    assert trained.command("evaluate") == "lslo evaluate --langs en,tr"
    flare = parsed(FlareOptions, "--task", "world", "--data", "files", "--runs", "lora", "--name", "mine")
    assert flare.command("flare report") == "lslo flare report --name mine --task world"


def test_the_next_command_of_flare_is_given_settings_without_a_flag_there_as_set():
    words = ["--epochs", "1", "--lr", "0.5", "--set", "flare.rank=4", "--runs", "lora"]
    trained = parsed(FlareTrainOptions, *words)
    assert trained.command("flare evaluate") == (
        "lslo flare evaluate --set flare.rank=4 --set flare.epochs=1 --set flare.lr=0.5 --runs lora"
    )
    assert trained.command("flare report") == "lslo flare report"
    translated = parsed(FlareTranslateOptions, "--output", "a folder", "--model", "world", "--beam", "1")
    assert translated.command("flare train") == "lslo flare train --set 'flare.translations=a folder'"


def test_the_next_command_gets_words_of_its_own_and_every_word_is_quoted():
    words = ["--recipe", "my base.toml", "--data", "a text", "--langs", "en,tr", "--out", "a model"]
    line = parsed(BaseTrainOptions, *words).command("weight-learn", "--model", Path("a model"))
    wanted = ["lslo", "weight-learn", *words[:6], "--model", "a model"]
    assert sorted(shlex.split(line)) == sorted(wanted)


def test_flare_takes_the_settings_that_its_command_reads():
    beam = ["--set", "evaluate.beam=1"]
    assert parsed(FlareTranslateOptions, *beam).resolve().evaluate.beam == 1
    with pytest.raises(UsageError, match=r"'--set evaluate\.beam=1' has no effect"):
        parsed(FlareOptions, *beam).resolve()
    assert parsed(FlareReportOptions, "--task", "world").chosen_folder() == RESULTS / "flare-world"


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("diff a b", "--data=text"),
        ("compare a b", "--device=cpu"),
        ("prune-report", "--model=world"),
        ("prune-report", "--resource=wo=low"),
        ("diff a b", "--resource=wo=low"),
        ("plot weights", "--resource=tr=low"),
        ("base train --out x", "--test=mine"),
        ("base check", "--langs=en,fr"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(line, option):
    result = CliRunner().invoke(app, [*line.split(), option], prog_name="lslo")
    assert result.exit_code == UsageError.exit_code
    assert f"no such option: {option.partition('=')[0]}" in result.output


def test_the_next_command_leaves_to_the_environment_what_is_set_there(monkeypatch):
    monkeypatch.setenv("LSLO_RECIPE", "demo")
    monkeypatch.setenv("LSLO_RESULTS", "/elsewhere")
    options = parsed(TrainOptions)
    assert (options.recipe, options.results) == ("demo", Path("/elsewhere"))
    assert options.command("evaluate") == "lslo evaluate"
    given = parsed(TrainOptions, "--recipe", "lang12", "--results", "/here")
    assert given.command("evaluate") == "lslo evaluate --recipe lang12 --results /here"


def test_an_experiment_lies_in_the_folder_of_its_name():
    assert parsed(HeatmapOptions).chosen_folder().path == Path("out/lang12")
    assert parsed(HeatmapOptions, "--langs", "en,fr").chosen_folder().path == Path("out/en-fr")
    named = parsed(HeatmapOptions, "--results", "out", "--name", "trial")
    assert named.chosen_folder().path == Path("out/trial")


@pytest.mark.parametrize(
    ("arguments", "ratio"),
    [
        (["--method", "full"], 0.0),
        (["--method", "lora"], 0.0),
        (["--method", "lslo"], 0.9),
        ([], 0.9),
        (["--method", "full", "--gps", "0.5"], 0.5),
    ],
)
def test_a_baseline_leaves_the_pruning_of_its_recipe_out_unless_it_is_asked_for(arguments, ratio):
    recipe = parsed(TrainOptions, "--recipe", "lang12", *arguments).resolve()
    assert recipe.train.gps == ratio


@pytest.mark.parametrize("options_class", [*EVERY_STAGE, HeatmapOptions])
@pytest.mark.parametrize(
    "arguments",
    [
        ("--add-lang", "tyv,crh", "--like", "kk,tr"),
        ("--add-lang", "tyv", "--like", "kk", "--add-lang", "crh", "--like", "tr"),
    ],
)
def test_a_new_language_is_named_with_its_relative(options_class, arguments):
    recipe = parsed(options_class, *arguments).resolve()
    assert recipe.new_languages == {"tyv": "kk", "crh": "tr"}
    assert recipe.experiment == "lang12-tyv-crh"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--add-lang", "tyv"), "--add-lang names tyv, and --like none"),
        (("--like", "kk"), "--add-lang names no language, and --like kk"),
        (("--add-lang", "tyv,tyv", "--like", "kk,kk"), "names 'tyv' twice"),
        (("--add-lang", "Tuvan", "--like", "kk"), "new language 'Tuvan' needs another code"),
        (("--set", "new_languages.komi=kk"), "new language 'komi' in --set needs another code"),
    ],
)
def test_a_new_language_without_relative_or_code_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        parsed(TrainOptions, *arguments).resolve()
    assert caught.value.hint


def test_the_next_command_is_told_of_new_languages():
    options = parsed(TrainOptions, "--add-lang", "tyv", "--like", "kk")
    assert options.command("evaluate") == "lslo evaluate --add-lang tyv --like kk"


def test_resource_classes_are_given_on_a_flag_under_any_name_of_a_language():
    recipe = ClassOptions(langs="en,tr,nob_Latn", resource="TR=low, nb=very-low").resolve()
    assert [str(language.resource) for language in recipe.selected_languages()] == ["high", "low", "very-low"]


@pytest.mark.parametrize("text", ["tr", "tr=", "=low", "a.b=low", "nb=low,no=high"])
def test_resource_classes_that_cannot_be_meant_are_refused(text):
    with pytest.raises(UsageError, match="--resource names"):
        ClassOptions(resource=text).resolve()


def commands(group: Any, prefix: str = "lslo") -> Iterator[Any]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield pytest.param(command, id=f"{prefix} {name}")


@pytest.mark.parametrize("command", list(commands(get_command(app))))
def test_help_says_of_every_option_what_happens_without_it(command):
    describe(command)
    for option in command.params:
        named = option.param_type_name == "option" and option.name != "help"
        if named and not option.is_flag and not option.required:
            said = option.default is not None or option.envvar
            assert said or re.search("default|without", option.help, re.IGNORECASE), option.opts


@pytest.mark.parametrize("command", list(commands(get_command(app))))
def test_every_option_that_sets_no_key_is_read_by_the_command_or_its_options(command):
    options_class = getattr(command.callback, "options_class", None)
    if options_class is None or command.callback.__module__.endswith("plot"):  # whose flags are the list's
        return
    module = inspect.getmodule(command.callback)
    helpers = [each for each in vars(module).values() if getattr(each, "__module__", "") == run.__name__]
    classes = [each for each in options_class.__mro__ if each is not object]
    source = "".join(map(inspect.getsource, [module, *helpers, *classes]))
    for flag in flags_of(options_class):
        assert flag.key or re.search(rf"(options|self)\.{flag.field}\b", source), flag.name


def test_help_of_a_flag_is_what_the_recipe_says_of_its_key():
    result = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"})
    assert "lslo|full|lora" in result.output
    for words in ("Adapters by language, all parameters, or one LoRA", "default: lslo.", "default: 15."):
        assert words in result.output


def test_a_device_that_is_refused_is_not_in_the_help():
    facts = key_facts("run.device")
    for device in facts.choices:
        assert parsed(StageTest, "--device", device).resolve().run.device == device
    with pytest.raises(UsageError, match="--device cannot be 'mps': input should be 'auto', 'cpu' or 'cuda'"):
        parsed(StageTest, "--device", "mps").resolve()


@pytest.mark.parametrize(
    ("key", "choices", "default"),
    [
        ("fit.max_tokens", ("<int>", "auto"), "4000"),
        ("train.gps_classes", (*(resource.value for resource in Resource), "auto"), "high,medium"),
        ("train.curve_rows", ("<int>", "all"), "0"),
        ("train.ranks", (), None),
        ("fit.lr", (), "0.003"),
        ("evaluate.metrics", (), "spBLEU,chrF++"),
    ],
)
def test_choices_and_defaults_are_read_off_the_recipe(key, choices, default):
    facts = key_facts(key)
    assert (facts.choices, facts.default) == (choices, default)
    assert facts.description.endswith(".")


def test_lr_is_the_rate_of_the_method_that_the_experiment_remembers(tmp_path):
    (tmp_path / "full.toml").write_text('[train]\nmethod = "full"\ngps = 0.0\n')
    folder = tmp_path / "out" / "mine"
    folder.mkdir(parents=True)
    (folder / "experiment.toml").write_text('recipe = "full.toml"\n[given]\nname = "mine"\n')
    fit = parsed(TrainOptions, "--lr", "0.5").resolve().fit
    assert (fit.lr, fit.lr_full) == (3e-3, 0.5)
    fit = parsed(TrainOptions, "--lr", "0.5", "--method", "lora").resolve().fit
    assert (fit.lr, fit.lr_full) == (0.5, 1e-4)
