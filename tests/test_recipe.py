import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.languages import Language, Resource
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.recipe import (
    MEMORY_FILE,
    Memory,
    Method,
    Recipe,
    find_recipe,
    given_values,
    read_memory,
    recipe_names,
    recorded,
    reopened,
    resolve,
    to_toml,
    with_values,
)
from lslo_cli.recipe.keys import key_facts, known_keys
from lslo_cli.world import WORLD


@pytest.fixture
def write(tmp_path):
    """Write a recipe file and return its path as text."""

    def write(text: str, name: str = "mine.toml") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_with_nothing_given_the_experiment_is_lang12_on_m2m_124_and_flores():
    recipe = resolve()
    assert recipe == Recipe()
    assert (recipe.experiment, recipe.data.path) == ("lang12", "data/flores101")
    assert recipe.model.name.endswith("flores101_mm100_615M")
    assert len(recipe.selected_languages()) == 12


# Each source covers the ones before it: defaults, environment, extended recipe, recipe, --set, flags.


def test_each_source_covers_the_ones_before_it(write, monkeypatch):
    write('[model]\nname = "extended"\n[fit]\nepochs = 3\nlr = 0.5', "base.toml")
    recipe = write('extends = "base.toml"\n[model]\nname = "recipe"\n[fit]\nepochs = 4')
    names = [resolve().model.name]
    monkeypatch.setenv("LSLO_MODEL", "environment")
    names.append(resolve().model.name)
    names.append(resolve(str(Path(recipe).parent / "base.toml")).model.name)
    names.append(resolve(recipe).model.name)
    names.append(resolve(recipe, assignments=["model.name=assigned"]).model.name)
    names.append(resolve(recipe, {"model.name": "flag"}, ["model.name=assigned"]).model.name)
    assert names == [Recipe().model.name, "environment", "extended", "recipe", "assigned", "flag"]
    assert (resolve(recipe).fit.epochs, resolve(recipe).fit.lr) == (4, 0.5)


def test_a_recipe_leaves_alone_what_it_does_not_name(write, monkeypatch):
    monkeypatch.setenv("LSLO_DATA", "/somewhere")
    recipe = resolve(write("[data]\ntrain_rows = 5"))
    assert (recipe.data.path, recipe.data.train_rows, recipe.data.test) == ("/somewhere", 5, "devtest")


def test_an_empty_variable_is_no_value(monkeypatch):
    monkeypatch.setenv("LSLO_MODEL", "")
    assert resolve().model.name == Recipe().model.name


def test_zero_and_empty_count_as_given(write):
    recipe = write('[train]\ngps = 0.9\ncurve_rows = 50\ngps_classes = ["high"]')
    resolved = resolve(recipe, {"train.gps": 0.0, "train.curve_rows": 0, "train.gps_classes": ()})
    assert (resolved.train.gps, resolved.train.curve_rows, resolved.train.gps_classes) == (0.0, 0, ())


def test_none_is_not_given(write):
    assert resolve(write("[train]\ngps = 0.9"), {"train.gps": None}).train.gps == 0.9


def test_the_last_assignment_of_a_key_counts():
    assert resolve(assignments=["seed=3", "seed=4"]).seed == 4


@pytest.mark.parametrize(
    ("assignment", "section", "key", "value"),
    [
        ("train.gps=0.9", "train", "gps", 0.9),
        ("fit.lr=3e-3", "fit", "lr", 0.003),
        ("fit.epochs = 3", "fit", "epochs", 3),
        ("train.ranks=2,2,8", "train", "ranks", "2,2,8"),
        ("train.ranks=en=2,wo=16", "train", "ranks", "en=2,wo=16"),
        ('train.ranks="8"', "train", "ranks", "8"),
        ("train.ranks=8", "train", "ranks", "8"),
        ("train.method=full", "train", "method", Method.FULL),
        ("data.path=/a b/c", "data", "path", "/a b/c"),
        ("data.train=", "data", "train", ""),
        ('train.gps-classes=["high"]', "train", "gps_classes", (Resource.HIGH,)),
        ("train.gps_classes=high,medium", "train", "gps_classes", (Resource.HIGH, Resource.MEDIUM)),
        ("train.gps_classes=high", "train", "gps_classes", (Resource.HIGH,)),
        ("train.gps_classes=auto", "train", "gps_classes", "auto"),
        ("langs=lang12", None, "langs", "lang12"),
        ("weight-learn.rank=4", "weight_learn", "rank", 4),
    ],
)
def test_an_assignment_takes_toml_or_else_text(assignment, section, key, value):
    recipe = resolve(assignments=[assignment])
    assert getattr(getattr(recipe, section) if section else recipe, key) == value


@pytest.mark.parametrize("assignment", ["train.gps", "=3", ""])
def test_an_assignment_without_key_or_value_is_refused(assignment):
    with pytest.raises(UsageError, match="not of the form key=value"):
        resolve(assignments=[assignment])


def test_sections_and_keys_may_be_written_with_hyphens_in_a_file(write):
    recipe = resolve(write("[weight-learn]\nrank = 4\n[train]\ngps-start = 3"))
    assert (recipe.weight_learn.rank, recipe.train.gps_start) == (4, 3)


def test_two_spellings_of_a_key_are_one_key(write):
    mine = write("[weight-learn]\nrank = 4\nepochs = 3")
    typed = [
        "weight-learn.rank=2",
        "weight_learn.epochs=1",
        "fit.label-smoothing=0.1",
        "fit.label_smoothing=0.2",
    ]
    recipe = resolve(mine, assignments=[*typed, "fit.label-smoothing=0.3"])
    assert (recipe.weight_learn.rank, recipe.weight_learn.epochs, recipe.fit.label_smoothing) == (2, 1, 0.3)
    values = given_values({"data.dev-rows": 4}, ["data.dev_rows=3", "languages.x-y.resource=low"])
    assert values == {"data.dev_rows": 4, "languages.x-y.resource": "low"}
    text = "[weight-learn]\nrank = 4\n[weight_learn]\nepochs = 1"
    for again in (text, "[fit]\nlabel-smoothing = 0.1\nlabel_smoothing = 0.2"):
        with pytest.raises(
            UsageError, match="'(weight_learn|label_smoothing)' is given twice in recipe .*mine.toml"
        ):
            resolve(write(again))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\ngpss = 0.9", "unknown key 'train.gpss' in recipe .*mine.toml. Did you mean 'train.gps'"),
        ("[trian]\ngps = 0.9", "unknown key 'trian' in recipe .*mine.toml. Did you mean 'train'"),
        ("gps = 0.9", "unknown key 'gps' .* Did you mean 'train.gps'"),
        ("[train]\nepochs = 3", "unknown key 'train.epochs' .* Did you mean 'fit.epochs'"),
        ('[languages.xx]\nresource = "low"\nbytext = 4', "unknown key 'languages.xx.bytext'"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(write, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve(write(text))
    assert caught.value.hint.startswith("keys of ")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.gps=1.5", "'train.gps' cannot be 1.5 in --set: input should be less than 1"),
        ("train.gps=much", "'train.gps' cannot be 'much' in --set"),
        ("fit.epochs=0", "'fit.epochs' cannot be 0 in --set"),
        ("fit.epochs=true", "'fit.epochs' cannot be True in --set"),
        ("fit.epochs=1.5", "'fit.epochs' cannot be 1.5 in --set"),
        ("train.gps=0.5\nfit.lr=3", r"'train.gps' cannot be '0.5\\nfit.lr=3' in --set"),
        ("evaluate.length_penalty=1000", "'evaluate.length_penalty' cannot be 1000 in --set"),
        ("fit.lr=inf", "'fit.lr' cannot be inf in --set"),
        ("fit.lr=nan", "'fit.lr' cannot be nan in --set"),
        (
            "train.method=ful",
            "'train.method' cannot be 'ful' in --set: input should be 'lslo', 'full' or 'lora'",
        ),
        (
            'train.gps_classes=["top"]',
            r"'train.gps_classes' cannot be \['top'\] in --set: input should be 'high'",
        ),
        ("langs={a=1}", "'langs' cannot be {'a': 1} in --set"),
        ("model=world", "'model' cannot be 'world' in --set: it is a table"),
        ("languages.xx.bitext=4", "'languages.xx.resource' is missing in --set"),
    ],
)
def test_an_unfit_value_is_refused_with_its_key_and_where_it_was_given(assignment, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve(assignments=[assignment])
    assert caught.value.hint


def test_the_source_that_is_blamed_is_the_one_that_gave_the_value(write, monkeypatch):
    recipe = write("[train]\ngps = 2.0")
    with pytest.raises(UsageError, match="2.0 in recipe .*mine.toml"):
        resolve(recipe, assignments=["train.ranks=2,2,8"])
    with pytest.raises(UsageError, match="cannot be 3.0: input"):
        resolve(recipe, {"train.gps": 3.0})
    child = write('extends = "mine.toml"\n[train]\nranks = "8"', "child.toml")
    with pytest.raises(UsageError, match="2.0 in recipe .*mine.toml"):
        resolve(child)


def test_a_recipe_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        resolve().train.gps = 0.5


def test_a_recipe_may_extend_a_shipped_one_by_name(write):
    recipe = resolve(write('extends = "lang12"\n[fit]\nepochs = 1'))
    assert (recipe.fit.epochs, recipe.train.ranks, recipe.name) == (1, "2,2,8", "lang12")


def test_a_path_in_extends_starts_at_the_file_it_stands_in(write):
    write("seed = 7", "base.toml")
    write('extends = "../base.toml"', "inner/middle.toml")
    assert resolve(write('extends = "inner/middle.toml"')).seed == 7


def test_a_language_can_be_described_piece_by_piece(write):
    write('langs = "en,xx"\n[languages.xx]\nresource = "low"\nbitext = 5', "base.toml")
    recipe = resolve(write('extends = "base.toml"\n[languages.xx]\nbitext = 6'))
    assert recipe.selected_languages()[1].bitext == 6
    assert recipe.selected_languages()[1].resource is Resource.LOW


def test_a_described_language_covers_the_papers_entry(write):
    recipe = resolve(write('langs = "en,wo"\n[languages.wo]\nresource = "low"'))
    assert recipe.selected_languages()[1].resource is Resource.LOW


@pytest.mark.parametrize(
    ("settings", "language"),
    [
        ({"languages.wo.resource": "low"}, Language("wo", Resource.LOW, "Nilotic+Other AC", 86_900)),
        (
            {"languages.wo": {"resource": "low", "bitext": 5}},
            Language("wo", Resource.LOW, "Nilotic+Other AC", 5),
        ),
        (
            {"languages.wo": {"resource": "high", "family": "Wolof"}},
            Language("wo", Resource.HIGH, "Wolof", 86_900),
        ),
        ({"languages.qka.resource": "low"}, replace(WORLD["qka"], resource=Resource.LOW)),
        ({"languages.tr.resource": "low"}, Language("tr", Resource.LOW, "Turkic")),
        (
            {"new_languages.tyv": "kk", "languages.tyv.resource": "low"},
            Language("tyv", Resource.LOW, "Turkic"),
        ),
    ],
)
def test_what_is_not_said_of_a_language_stays_as_it_is_known(settings, language):
    recipe = resolve(None, {"langs": f"en,{language.code}", "new_languages": {}, **settings})
    assert recipe.selected_languages()[1] == language
    assert recorded(recipe.model_dump(mode="json")).selected_languages()[1] == language


def test_values_that_are_put_in_are_checked_as_those_of_a_recipe():
    recipe = resolve("demo")
    assert with_values(recipe, {"evaluate.beam": 1, "fit.lr": 1}).evaluate.beam == 1
    assert with_values(recipe, {}) == recipe
    with pytest.raises(UsageError, match=r"'evaluate\.beam' cannot be 2\.5"):
        with_values(recipe, {"evaluate.beam": 2.5})


def test_a_recipe_that_extends_itself_is_refused(write):
    write('extends = "mine.toml"', "other.toml")
    with pytest.raises(UsageError, match="mine.toml extends itself"):
        resolve(write('extends = "other.toml"'))


def test_an_extended_recipe_that_is_missing_is_named_with_the_file_that_wants_it(write):
    with pytest.raises(
        InputError, match="no recipe 'lang21', which .*mine.toml extends. Did you mean 'lang12'"
    ):
        resolve(write('extends = "lang21"'))


def test_extends_takes_one_name(write):
    with pytest.raises(UsageError, match=r"'extends' cannot be \['lang12'\] in recipe"):
        resolve(write('extends = ["lang12"]'))


@pytest.mark.parametrize("text", ["train.gps = ", "[train", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused_with_its_path(write, text):
    with pytest.raises(InputError, match="mine.toml is not valid TOML"):
        resolve(write(text))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not valid TOML"):
        resolve(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("name", ["lang21", "missing.toml", "", "../recipes/lang12"])
def test_a_recipe_that_is_not_there_is_refused_with_the_names_there_are(name):
    with pytest.raises(InputError, match=f"no recipe '{name}'") as caught:
        find_recipe(name)
    assert "lang12" in caught.value.hint


def test_the_papers_experiments_come_with_lslo_by_name():
    assert {"lang12", "lang30"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_fits_and_is_named_after_its_file(name):
    recipe = resolve(name)
    extended = tomllib.loads(find_recipe(name).read_text()).get("extends", name)
    assert recipe.name in (name, resolve(extended).name) and recipe.description
    assert recipe.selected_languages()
    recipe.estimation_schedule()
    recipe.training_schedule()


def test_lang12_is_the_papers_main_row_and_table_7():
    recipe = resolve("lang12")
    assert recipe.train.ranks == "2,2,8"
    assert recipe.training_schedule() == GradualPruning(0.9, 2, 8, 15)
    assert recipe.estimation_schedule() == GradualPruning(0.7, 2, 8, 15)


def test_a_schedule_that_does_not_fit_names_the_flag_of_its_own_command():
    short = resolve(None, {"fit.epochs": 2})
    schedules = {"--gps": short.training_schedule, "--target-ratio": short.estimation_schedule}
    for flag, schedule in schedules.items():
        with pytest.raises(UsageError, match="the pruning schedule does not fit") as error:
            schedule()
        assert error.value.hint.endswith(f"or give {flag} 0")


def test_lang30_differs_from_lang12_in_languages_ranks_and_index_alone():
    twelve, thirty = resolve("lang12").model_dump(), resolve("lang30").model_dump()
    differing = {key for key in twelve if twelve[key] != thirty[key]}
    assert differing == {"name", "description", "langs", "train", "reproduce"}
    train = {key for key in twelve["train"] if twelve["train"][key] != thirty["train"][key]}
    assert train == {"ranks", "index"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "lang12"),
        ({"langs": "lang30"}, "lang30"),
        ({"langs": "en, fr,wo"}, "en-fr-wo"),
        ({"langs": ("en", "fr")}, "en-fr"),
        ({"name": "mine", "langs": "lang30"}, "mine"),
    ],
)
def test_an_experiment_is_named_after_the_recipe_or_its_languages(given, name):
    assert resolve(given=given).experiment == name


def test_stages_take_the_epochs_of_fit_unless_they_have_their_own():
    assert resolve(assignments=["fit.epochs=12"]).estimation_schedule().epochs == 12
    own = resolve(assignments=["fit.epochs=12", "estimate_subspace.epochs=10"])
    assert own.estimation_schedule().epochs == 10


@pytest.mark.parametrize("name", [None, *recipe_names()])
def test_a_recipe_written_as_toml_reads_back_equal(write, name):
    recipe = resolve(name)
    assert resolve(write(to_toml(recipe), "written.toml")) == recipe


def test_text_and_numbers_of_every_kind_survive_being_written(write):
    recipe = resolve(
        given={
            "description": 'quotes " and \\ and \n lines \x7f \x01 é 語',
            "langs": ("en", "wo"),
            "languages": {"zh.x y": {"resource": "low", "bitext": 3}},
            "data.train": "",
            "fit.lr": 1e-7,
            "fit.clip_norm": 1e20,
            "train.gps_classes": (),
            "run.threads": 2,
        }
    )
    assert resolve(write(to_toml(recipe), "written.toml")) == recipe


def test_a_written_recipe_names_every_key():
    text = to_toml(resolve())
    assert tomllib.loads(text)["train"]["gps"] == 0.9
    for section in ("adapters", "weight_learn", "estimate_subspace", "train", "evaluate"):
        for key in type(getattr(Recipe(), section)).model_fields:
            assert f"\n{key} = " in text or f"\n# {key} is not set" in text


def test_an_experiment_is_named_by_the_codes_of_the_model_however_they_were_spelt():
    assert resolve(None, {"langs": "EN,nb,zh-Hans"}).experiment == "en-no-zh"


def test_an_experiment_of_many_languages_has_a_name_that_fits_a_folder():
    codes = [f"q{first}{second}" for first in "abcdefghij" for second in "abcdefghij"]
    name = resolve(None, {"langs": ",".join(codes)}).experiment
    assert name.startswith("100-languages-") and len(name) == len("100-languages-") + 8
    assert resolve(None, {"langs": ",".join(reversed(codes))}).experiment != name


def test_a_described_language_is_found_under_each_of_its_names():
    recipe = resolve(
        None,
        {"langs": "en,tr_TR,kaz_Cyrl", "languages.tr.resource": "medium", "languages.kk.resource": "low"},
    )
    assert [(language.code, str(language.resource)) for language in recipe.selected_languages()] == [
        ("en", "high"),
        ("tr", "medium"),
        ("kk", "low"),
    ]


def test_every_key_says_what_it_means():
    known = list(known_keys())
    sections = {key.partition(".")[0] for key in known if "." in key}
    keys = [key for key in known if key not in sections]
    assert len(keys) > 120
    assert [key for key in keys if not key_facts(key).description] == []


# Resources on a cluster


def test_a_job_asks_for_what_is_said_of_it_alone_and_else_of_all(write):
    recipe = resolve(
        write(
            "[slurm]\ntime = 02:00:00\ngpus = 1\n[slurm.jobs.weight-learn]\ncpus = 4\n"
            '[slurm.jobs."2-2-8-gps0.9"]\ntime = "1-0"\nextra = ["--qos=long"]'
        )
    )
    assert (recipe.slurm.of("full").time, recipe.slurm.of("full").gpus) == ("02:00:00", "1")
    assert recipe.slurm.of("weight-learn") == recipe.slurm.of("full").model_copy(update={"cpus": 4})
    own = recipe.slurm.of("2-2-8-gps0.9")
    assert (own.time, own.gpus, own.extra) == ("1-0", "1", ("--qos=long",))
    assert resolve(write(to_toml(recipe), "written.toml")) == recipe


@pytest.mark.parametrize(
    ("assignment", "message", "hint"),
    [
        ("slurm.tme=3", "unknown key 'slurm.tme' in --set. Did you mean 'slurm.time'?", "partition, account"),
        ("slurm.jobs.full.tme=3", "unknown key 'slurm.jobs.full.tme' in --set", "keys of [slurm.jobs.full]"),
        ("slurm.jobs.full=3", "'slurm.jobs.full' cannot be 3 in --set", "one by one as slurm.jobs.full.KEY"),
    ],
)
def test_what_slurm_cannot_be_asked_for_is_refused(assignment, message, hint):
    with pytest.raises(UsageError) as caught:
        resolve(assignments=[assignment])
    assert message in caught.value.message
    assert hint in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("flare.test_noise=0,0.2,0.4", (0, 0.2, 0.4)),
        ("flare.test-noise=[0.1]", (0.1,)),
        ("flare.test_noise=0.2", (0.2,)),
        ("flare.translated=train,test", ("train", "test")),
        ('flare.runs=["lora", "flare:add"]', ("lora", "flare:add")),
        ("data.directions=en-fr,fr-en", ("en-fr", "fr-en")),
    ],
)
def test_a_list_needs_no_brackets_on_a_command_line(text, value):
    section, key = text.partition("=")[0].replace("-", "_").split(".")
    assert getattr(getattr(resolve(assignments=[text]), section), key) == value


def test_a_list_of_unfit_values_is_refused_with_its_key():
    with pytest.raises(UsageError, match=r"'flare.test_noise' cannot be \['0', 'much'\] in --set"):
        resolve(assignments=["flare.test_noise=0,much"])


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("model.revision=1234e5", "model.revision", "1234e5"),
        ("model.revision=007", "model.revision", "007"),
        ("model.revision='1234e5'", "model.revision", "1234e5"),
        ("name=2024-01-01", "name", "2024-01-01"),
        ("train.index=1e3", "train.index", "1e3"),
        ("data.train_rows=1_0", "data.train_rows", 10),
    ],
)
def test_a_key_that_takes_text_keeps_what_was_typed(assignment, key, value):
    found = resolve(assignments=[assignment])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_values_of_flags_take_precedence_over_assignments():
    values = given_values({"evaluate.beam": 2}, ["evaluate.beam=1", "evaluate.metrics=spbleu,chrf"])
    assert values == {"evaluate.beam": 2, "evaluate.metrics": ["spbleu", "chrf"]}


@pytest.mark.parametrize(
    ("below", "above", "test", "hold_out"),
    [
        ({"data.hold_out": 100}, {"data.test": "devtest"}, "devtest", None),
        ({"data.test": "devtest"}, {"data.hold_out": 100}, resolve().data.test, 100),
        ({"data.hold_out": 100}, {"data.train": "dev"}, resolve().data.test, 100),
    ],
)
def test_of_two_texts_to_test_on_the_one_given_last_counts(below, above, test, hold_out):
    data = resolve(given=above, memory=Memory(given=below)).data
    assert (data.test, data.hold_out) == (test, hold_out)


def test_a_recipe_and_a_memory_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "mine.toml").write_text("seed = 7\n", encoding="utf-8-sig")
    assert resolve(str(tmp_path / "mine.toml")).seed == 7
    (tmp_path / MEMORY_FILE).write_text("[given]\nseed = 8\n", encoding="utf-8-sig")
    assert read_memory(tmp_path).given == {"seed": 8}


@pytest.mark.parametrize("model", ["world", "a/b", "/a/b", "~/b"])
def test_a_name_is_remembered_as_one_beside_a_folder_called_so(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "world").mkdir()
    told = Memory("demo", {"model.name": model}, {"data.path": "world"})
    folder = tmp_path / "out" / "e"
    folder.mkdir(parents=True)
    (folder / MEMORY_FILE).write_text(told.text(folder))
    monkeypatch.chdir(folder)
    assert read_memory(folder) == told


@pytest.mark.parametrize(
    ("below", "above", "name", "revision"),
    [
        ({"model.name": "a/b", "model.revision": "old"}, {"model.name": "c/d"}, "c/d", None),
        ({"model.name": "a/b", "model.revision": "old"}, {"model.name": "a/b"}, "a/b", "old"),
        ({"model.name": "a/b", "model.revision": "old"}, {"model.revision": "new"}, "a/b", "new"),
        ({"model.name": "a/b"}, {"model.name": "c/d", "model.revision": "new"}, "c/d", "new"),
        ({"flare.model": "a/b", "flare.revision": "old"}, {"flare.model": "c/d"}, "c/d", None),
    ],
)
def test_a_revision_is_that_of_the_model_it_was_given_with(below, above, name, revision):
    found = [
        resolve(given=above, memory=Memory(given=below)),
        resolve(None, {key: value for key, value in above.items() if key.endswith(("name", "model"))},
                [f"{key}={value}" for key, value in above.items() if key.endswith("revision")],
                Memory(given=below)),
        with_values(resolve(given=below), above),
        reopened(resolve(given=below).model_dump(), above),
    ]  # fmt: skip
    for recipe in found:
        if any(key.startswith("flare") for key in above):
            assert (recipe.flare.model, recipe.flare.revision) == (name, revision)
        else:
            assert (recipe.model.name, recipe.model.revision) == (name, revision)


def test_a_recipe_that_extends_another_with_another_model_leaves_its_revision(write):
    write('[model]\nname = "a/b"\nrevision = "old"\n', "below.toml")
    assert resolve(write('extends = "below.toml"\n[model]\nname = "c/d"\n')).model.revision is None
    assert resolve(write('extends = "below.toml"\nseed = 3\n')).model.revision == "old"


@pytest.mark.parametrize(
    ("remembered", "later", "found"),
    [
        ({"model.name": "a/b"}, {"model.name": "c/d", "model.revision": "new"}, {"model.name": "a/b"}),
        ({"model.revision": "old"}, {"model.name": "c/d"}, {"model.revision": "old"}),
        ({"model.name": "a/b"}, {"model.revision": "new"}, {"model.name": "a/b", "model.revision": "new"}),
        ({"seed": 3}, {"model.name": "c/d"}, {"seed": 3, "model.name": "c/d"}),
    ],
)
def test_a_remembered_model_is_not_mixed_with_that_of_a_later_command(remembered, later, found):
    assert Memory(given=remembered).adding(Memory(given=later)).given == found
