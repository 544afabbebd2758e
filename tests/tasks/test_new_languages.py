"""A language that the base model does not know: added, trained, saved, restored, and in nobody's way."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from benchmarks import reference
from lslo_cli.cli.commands.evaluate import comparable
from lslo_cli.data.to_translate import Line
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced
from lslo_cli.method.languages import Direction, Resource
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.models.base import add_languages, load_base
from lslo_cli.recipe import SearchMode, resolve
from lslo_cli.search.beam import best
from lslo_cli.search.generate import ranked_translations
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.decoding import sources_and_references, translate_all
from lslo_cli.tasks.export import export
from lslo_cli.tasks.setup import prepare
from lslo_cli.tasks.translate import Search
from lslo_cli.tasks.translate_file import Form, TranslationJob, translate_files
from lslo_cli.tasks.weights import load_weights


def translate(*arguments, **settings):
    """The best hypothesis of every sentence by transformers."""
    return best(ranked_translations(*arguments, **settings))


NEW = {"new_languages.qle": "qta"}
"""Lemari, of which the tiny base has never seen a word, to begin as Tamari."""


@pytest.fixture(scope="module")
def added(experiments_in, tmp_path_factory):
    """A folder in which every command has run with a new language, and the artifacts by name."""
    folder = tmp_path_factory.mktemp("added") / "tiny-qle"
    experiment = experiments_in(folder)
    artifacts = {
        "index": tasks.weight_learn(experiment(**NEW)).artifact,
        "subspace": tasks.estimate_subspace(experiment(**NEW)).artifact,
        "alone": tasks.train(experiment(**NEW)).artifact,
        "all": tasks.train(experiment(**NEW, **{"train.ranks": "2,2,8"})).artifact,
        "report": tasks.prune_report(experiment(**NEW), run="qle8").artifact,
    }
    scores = {item.artifact.result.run: item.artifact.result for item in tasks.evaluate(experiment(**NEW))}
    return folder, artifacts, scores


def test_its_experiment_is_another(tiny):
    assert tiny.recipe(**NEW).experiment == "tiny-qle"
    assert [language.code for language in tiny.recipe(**NEW).selected_languages()][-1] == "qle"


def test_it_is_very_low_in_resources_and_of_its_relatives_family_unless_described():
    (*_, plain) = resolve("demo", {"new_languages.xx": "qsa"}).selected_languages()
    assert (plain.resource, plain.family, plain.bitext) == (Resource.VERY_LOW, "Soric", None)
    assert resolve("demo", {"new_languages.fr": "qsa"}).selected_languages()[-1].resource == Resource.VERY_LOW
    described = {"new_languages.xx": "qsa", "languages.xx": {"resource": "low", "bitext": 9}}
    (*_, known) = resolve("demo", described).selected_languages()
    assert (known.resource, known.bitext) == (Resource.LOW, 9)


def test_unless_ranks_are_given_it_alone_is_trained(added):
    _, artifacts, _ = added
    result = artifacts["alone"].result
    assert (result.run, result.ranks, result.new_languages) == ("qle8", {"qle": 8}, {"qle": "qta"})
    sites = 2 * 5 * 32 + 2 * 8 * 32
    assert result.trainable_parameters == 8 * sites + 16
    assert {matrix.language for matrix in result.pruned.matrices()} == {"qle"}
    assert artifacts["all"].result.ranks.keys() == {"qta", "qso", "qki", "qka", "qle"}


def test_it_is_weighed_estimated_and_reported_as_any_other(added):
    _, artifacts, _ = added
    assert set(artifacts["subspace"].result.scores) == {"qta", "qso", "qki", "qka", "qle"}
    assert artifacts["index"].recipe["new_languages"] == {"qle": "qta"}
    assert [row.language for row in artifacts["report"].result.sizes] == ["qle"]


def test_its_row_is_trained_and_saved_with_the_adapters(added, tiny):
    folder, artifacts, _ = added
    saved = load_file(folder / "runs/qle8" / artifacts["alone"].result.weights.path)
    base = add_languages(load_base(str(tiny.base)), {"qle": "qta"})
    begun = base.new_rows.state_dict()["embedding.qle"]
    assert saved["embedding.qle"].shape == begun.shape and not torch.equal(saved["embedding.qle"], begun)
    assert {name.split(".")[-2] for name in saved} - {"embedding"} == {"qle"}
    config = json.loads((folder / "runs/qle8/adapter/adapter_config.json").read_text())
    assert config["new_languages"] == {"qle": "qta"}


def test_training_leaves_every_parameter_of_the_base_as_it_was(tiny, experiments_in, tmp_path, monkeypatch):
    setups = []
    monkeypatch.setattr(
        "lslo_cli.tasks.job.prepare", lambda *given: setups.append(prepare(*given)) or setups[0]
    )
    tasks.train(experiments_in(tmp_path)(**NEW))
    model = setups[0].base.model
    original = load_base(str(tiny.base)).model
    for module in ("encoder", "decoder"):
        trained = model.get_submodule(f"model.{module}.embed_tokens.base").weight
        assert torch.equal(trained, original.model.shared.weight)
    bare = {name.replace(".base.", "."): tensor for name, tensor in model.state_dict().items()}
    assert all(torch.equal(bare[name], tensor) for name, tensor in original.state_dict().items())


def hypotheses(folder, run):
    return {path.stem: path.read_text() for path in (folder / "runs" / run / "hypotheses").iterdir()}


def test_no_other_direction_notices(added, experiments_in, tmp_path):
    """Word for word and score for score as the base model without the language."""
    folder, _, scores = added
    plain = experiments_in(tmp_path / "plain")
    (without,) = tasks.evaluate(plain())
    expected = hypotheses(tmp_path / "plain", "base")
    assert len(expected) == 12
    for run in ("base", "qle8"):
        found = hypotheses(folder, run)
        assert len(found) == 20 and {name: found[name] for name in expected} == expected
        kept = [row for row in scores[run].directions if str(row.direction) in expected]
        assert kept == without.artifact.result.directions
    with_all_trained = hypotheses(folder, "2-2-8")
    assert any(with_all_trained[name] != expected[name] for name in expected)


def test_no_logit_of_another_direction_changes_a_bit(added, tiny):
    folder, artifacts, _ = added
    result = artifacts["alone"].result
    setup = prepare(tiny.recipe(**NEW))
    route = load_weights(setup, result, folder / "runs/qle8" / result.weights.path)
    plain = prepare(tiny.recipe())
    batch = plain.training_batches().batches(1)[0]
    inputs = {
        "input_ids": batch.input_ids,
        "attention_mask": batch.attention_mask,
        "decoder_input_ids": batch.labels.clamp(min=1),
    }
    with torch.no_grad(), route.of(batch.source_language, batch.target_language):
        adapted = setup.base.model(**inputs).logits
    with torch.no_grad():
        assert torch.equal(adapted, plain.base.model(**inputs).logits)


def test_its_own_directions_do_change(added):
    folder, _, _ = added
    base, run = hypotheses(folder, "base"), hypotheses(folder, "qle8")
    changed = {name for name in base if base[name] != run[name]}
    assert changed and all("qle" in name for name in changed)


def test_an_evaluation_restores_it_without_being_told(added, experiments_in, tmp_path):
    folder, _, scores = added
    shutil.copytree(folder, tmp_path / "copy")
    experiment = experiments_in(tmp_path / "copy")
    (written,) = tasks.evaluate(experiment(), runs=["qle8"], force=True)
    assert written.artifact.result == scores["qle8"]
    plan = tasks.plan(experiment(), "evaluate", runs=["qle8"])
    assert ("new language", "qle, like qta") in plan.facts


def test_what_is_up_to_date_depends_on_the_relative(added, experiments_in, tmp_path):
    folder, _, _ = added
    shutil.copytree(folder, tmp_path / "copy")
    experiment = experiments_in(tmp_path / "copy")
    assert tasks.train(experiment(**NEW), reuse=True).up_to_date
    assert not tasks.train(experiment(**{"new_languages.qle": "qso"}), reuse=True).up_to_date


def test_a_run_is_compared_with_the_base_of_its_relatives_alone(added, experiments_in, tmp_path):
    folder, _, _ = added
    shutil.copytree(folder, tmp_path / "copy")
    other = experiments_in(tmp_path / "copy")(**{"new_languages.qle": "qso"})
    base, run = (written.artifact for written in tasks.evaluate(other, runs=["base", "qle8"]))
    assert base.recipe["new_languages"] == {"qle": "qso"}
    assert run.recipe["new_languages"] == {"qle": "qta"}
    assert len(comparable([base, run], SPBLEU)) == 2
    with pytest.raises(InputError, match="different relatives of new languages: qle qta and qle qso"):
        tasks.compare(other, ["qle8", "base"], resamples=100)


def test_translations_by_the_token_of_another_relative_are_not_gone_on_with(experiments_in, tmp_path, heard):
    def into_lemari(relative, on_event):
        translator = tasks.open_translator(experiments_in(tmp_path)(**{"new_languages.qle": relative}))
        lines = [Line(text, "qta", ("qle",)) for text in ("taro", "miro", "taro miro")]
        job = TranslationJob(lines, tmp_path / "out", Form())
        translate_files(translator, [job], Search(), 1, on_event)

    def interrupt(event):
        if isinstance(event, Advanced) and (tmp_path / ".out.partial").stat().st_size > 99:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        into_lemari("qta", interrupt)
    into_lemari("qso", heard)
    assert not [note for note in heard.notes if "already translated" in note]


@pytest.mark.parametrize("command", ["weight_learn", "train"])
def test_an_interrupted_command_is_resumed_to_the_same_row(experiments_in, tmp_path, command):
    run = getattr(tasks, command)
    changes = {**NEW, "fit.dropout": 0.3}
    expected = run(experiments_in(tmp_path / "whole")(**changes)).artifact

    def interrupt(event):
        if isinstance(event, Advanced) and event.note.startswith("epoch 3/3"):
            raise KeyboardInterrupt

    again = experiments_in(tmp_path / "halved")
    with pytest.raises(KeyboardInterrupt):
        run(again(**changes), on_event=interrupt)
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        run(again(**{**changes, "new_languages.qle": "qso"}), resume=True)
    assert run(again(**changes), resume=True).artifact.digest == expected.digest


@pytest.mark.parametrize("mode", SearchMode)
def test_our_beam_search_and_transformers_find_the_same(added, tiny, mode):
    """The token of a new language is a prompt: it is given, and has no probability to count."""
    folder, artifacts, _ = added
    result = artifacts["alone"].result
    setup = prepare(tiny.recipe(**NEW, **{"evaluate.mode": mode, "evaluate.max_new_tokens": 9}))
    route = load_weights(setup, result, folder / "runs/qle8" / result.weights.path)
    directions = [Direction("qta", "qle"), Direction("qle", "qta"), Direction("qta", "qso")]
    sources, _ = sources_and_references(setup.read("test", 5), directions)
    found = translate_all(setup, sources, route, "test")
    from lslo_cli.search.stream import TranslationBatches

    batches = TranslationBatches(sources, setup.base.tokenizer, setup.codes, max_tokens=900, max_length=60)
    assert [{batch.keys[0][0]} for batch in batches] == [{direction} for _, direction in zip(batches, (
        directions[2], directions[1], directions[0]), strict=True)]  # fmt: skip
    search = reference.translate if mode is SearchMode.FAIRSEQ else translate
    theirs = []
    for batch in batches:
        with route.of(batch.source_language, batch.target_language):
            ids = search(setup.base, batch, beam=2, max_length_b=9)
        theirs += zip(batch.keys, map(setup.base.tokenizer.decode, ids), strict=True)
    assert batches.in_order(theirs) == found


def test_a_plan_counts_its_row(tiny, experiments_in, tmp_path):
    plan = tasks.plan(experiments_in(tmp_path)(**NEW), "train")
    facts = dict(plan.facts)
    assert facts["new language"] == "qle, like qta"
    assert facts["trains on"] == "8 of 20 directions"
    ((code, resource, rank, parameters),) = plan.parameters
    assert (code, resource, rank) == ("qle", "very-low", 8)
    assert facts["trainable"].startswith(f"{parameters:,} ")
    assert plan.files[0].parent.name == "qle8"


REFUSED = [
    ({"new_languages.qso": "qta"}, UsageError, "--add-lang qso: base model .* knows this language already"),
    ({"new_languages.qle": "qsa"}, UsageError, "--like qsa: base model .* no token"),
    ({"new_languages.xx": "qta"}, InputError, "xx"),
    ({**NEW, "train.method": "full"}, UsageError, "--method full trains all of it"),
    ({**NEW, "train.ranks": "qta=2"}, UsageError, "no rank for qle"),
]


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED)
def test_what_cannot_be_is_refused(experiments_in, tmp_path, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        tasks.train(experiments_in(tmp_path / "refused")(**changes))
    assert caught.value.hint and not list((tmp_path).rglob("training.json"))


@pytest.mark.parametrize("code", ["en-fr", "Tyvan", "t", "tyv__"])
def test_a_code_that_is_none_is_refused(code):
    with pytest.raises(UsageError, match=f"new language '{code}' needs another code"):
        resolve("demo", {f"new_languages.{code}": "qta"})


def test_a_run_with_other_new_languages_is_refused(added, tiny):
    folder, artifacts, _ = added
    result = artifacts["alone"].result
    with pytest.raises(InputError, match="added to the base: qle, not none"):
        load_weights(prepare(tiny.recipe()), result, folder / "runs/qle8" / result.weights.path)


def test_one_lora_for_all_can_learn_it_too(experiments_in, tmp_path):
    written = tasks.train(experiments_in(tmp_path)(**NEW, **{"train.method": "lora", "train.ranks": "4"}))
    result = written.artifact.result
    assert result.ranks == {"shared": 4}
    saved = load_file(written.path.parent / result.weights.path)
    assert "embedding.qle" in saved
    (evaluated,) = tasks.evaluate(experiments_in(tmp_path)(**NEW), runs=[result.run])
    assert len(evaluated.artifact.result.directions) == 20


def test_its_adapter_opens_wherever_it_stands_among_the_languages(experiments_in, tmp_path):
    first = tasks.train(experiments_in(tmp_path)(**NEW, langs="qle,qta,qso,qki,qka"))
    translator = tasks.open_translator(
        experiments_in(tmp_path)(), str(first.path.parent / "adapter"), given={"run.device": "cpu"}
    )
    assert translator.setup.codes[0] == "qle"
    assert len(list(tasks.translate(translator, ["taro"], src="qle", tgt=["qki"]))) == 1


@pytest.mark.parametrize(("src", "tgt"), [("qta", "qle"), ("qle", "qki")])
def test_a_merged_model_reads_and_writes_it_with_transformers_alone(
    added, tiny, experiments_in, tmp_path, src, tgt
):
    """In the vocabulary, after all others, and known to lslo as any other language."""
    folder, _, _ = added
    made, to = experiments_in(folder)(**{"evaluate.max_new_tokens": 12}), tmp_path / "merged"
    assert export(made, "qle8", to, "merged", source=src, target=tgt) < 1e-3
    base = load_base(str(to))
    assert base.tokenizer.languages[-1] == "qle" and base.new_rows is None
    translator = tasks.open_translator(made, "qle8")
    lines, search = ["taro", "lopaba taro miro", ""], {"beam": 1}
    expected = [found for (found,) in tasks.translate(translator, lines, src=src, tgt=[tgt], **search)]
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(to), base.tokenizer
    assert model.config.vocab_size == load_base(str(tiny.base)).tokenizer.vocab_size + 1
    search = {"num_beams": 1, "forced_bos_token_id": tokenizer.language_id(tgt), "max_length": 13}
    for line, wanted in zip(lines[:2], expected, strict=False):
        ids = torch.tensor([tokenizer.source_ids(tokenizer.encode(line), src, tgt)])
        found = model.generate(ids, **search)
        assert tokenizer.decode(found[0].tolist()) == wanted


def test_ctranslate2_has_it_and_peft_has_not(added, experiments_in, tmp_path):
    pytest.importorskip("ctranslate2", reason="its converter writes the export")
    made = experiments_in(added[0])()
    assert export(made, "qle8", tmp_path / "ct2", "ct2", source="qta", target="qle") < 1e-3
    assert "__qle__" in json.loads((tmp_path / "ct2" / "shared_vocabulary.json").read_text())
    with pytest.raises(UsageError, match="no form for PEFT") as caught:
        export(made, "qle8", tmp_path / "peft", "peft")
    assert "--format merged or ct2" in caught.value.hint and not (tmp_path / "peft").exists()
