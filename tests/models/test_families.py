"""The families, each as a tiny random model in the files its published models have on the hub."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MBartForConditionalGeneration,
)

from benchmarks import reference
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Noted
from lslo_cli.method.adapters import Span
from lslo_cli.method.families import FAMILIES
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.models.base import add_languages, load_base, save_base, with_known_languages
from lslo_cli.models.base_info import base_facts
from lslo_cli.models.model_languages import model_languages
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.nn.attach import attach
from lslo_cli.recipe import resolve
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.generate import ranked_translations
from lslo_cli.search.stream import TranslationBatches
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.export import export
from tests.adapters import ADAPTERS


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


def translate(*arguments, **settings):
    """The best hypothesis of every sentence by transformers."""
    return best(ranked_translations(*arguments, **settings))


@pytest.fixture(scope="module")
def text(tmp_path_factory, lines):
    """A FLORES-101 folder of three languages."""
    folder = tmp_path_factory.mktemp("text")
    for split, step in (("dev", 1), ("devtest", -1)):
        (folder / split).mkdir()
        for code, some in lines.items():
            text = "\n".join(some[::step]) + "\n"
            (folder / split / f"{code}.{split}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family, tmp_path_factory, write_model):
    return write_model(tmp_path_factory.mktemp("models") / family, family)


@pytest.fixture(scope="module")
def base(model):
    return load_base(str(model))


def test_a_family_is_recognised_by_its_files(base, family, madlad_languages):
    assert base.tokenizer.family is FAMILIES[family]
    assert base.identity.vocab_size == base.tokenizer.vocab_size
    assert len(base.tokenizer.languages) == len(FAMILIES[family].languages or madlad_languages)


def test_sequences_have_the_language_where_the_family_puts_it(base, family):
    tokenizer = base.tokenizer
    en, fr = tokenizer.language_id("en"), tokenizer.language_id("fr")
    sequences = (
        tokenizer.source_ids([9], "en", "fr"),
        tokenizer.target_ids([9], "en", "fr"),
        tokenizer.decoder_prompt("en", "fr"),
    )
    if family == "small-100":
        assert sequences == ([fr, 9, 2], [9, 2], [2])
    elif family == "madlad-400":
        assert sequences == ([fr, 9, 2], [9, 2], [0])
    else:
        assert sequences == ([en, 9, 2], [fr, 9, 2], [2, fr])


def test_a_language_has_its_token_by_every_name(base, family, lines, madlad_languages):
    tokenizer = base.tokenizer
    assert tokenizer.language_id("fr") == tokenizer.language_id("fra") == tokenizer.language_id("fra_Latn")
    languages = FAMILIES[family].languages or madlad_languages
    place = languages.index({"nllb-200": "fra_Latn", "mbart-50": "fr_XX"}.get(family, "fr"))
    first = 3 if family == "madlad-400" else 4 + 57
    assert tokenizer.language_id("fr") == first + place
    assert (
        tokenizer.decode([tokenizer.language_id("fr"), *tokenizer.encode(lines["fra"][0]), 2])
        == lines["fra"][0]
    )


def test_a_language_that_the_model_does_not_know_is_one_clear_error(base):
    with pytest.raises(UsageError, match="no token for language 'tyv_Cyrl'") as caught:
        base.tokenizer.language_id("tyv_Cyrl")
    assert "languages:" in caught.value.hint
    with pytest.raises(InputError, match="no token for qqq, zzz"):
        base.check_languages(["en", "qqq", "zzz"])


def test_a_saved_model_is_the_same_model(base, tmp_path, family):
    saved = save_base(base, tmp_path / "saved")
    again = load_base(str(saved.folder))
    assert again.identity == saved.identity
    assert again.tokenizer.family is FAMILIES[family]
    assert again.tokenizer.digest == base.tokenizer.digest
    ids = torch.tensor([base.tokenizer.source_ids(base.tokenizer.encode("the cat"), "en", "fr")])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids}
    with torch.no_grad():
        assert torch.equal(again.model(**inputs).logits, base.model(**inputs).logits)


def test_the_header_says_what_the_weights_are(model, base, family):
    facts = base_facts(str(model))
    assert facts.parameters == base.identity.parameters
    assert facts.family == FAMILIES[family].name


def test_adapters_are_attached_trained_saved_loaded_and_translate(model, text, tmp_path):
    recipe = resolve(
        None,
        {
            "name": "family",
            "langs": "en,fr,nl",
            "model.name": str(model),
            "data.path": str(text),
            "fit.epochs": 4,
            "fit.lr": 0.01,
            "fit.dropout": 0.0,
            "fit.max_tokens": 2000,
            "fit.accumulate": 1,
            "train.ranks": "2,4",
            "evaluate.beam": 2,
            "evaluate.max_new_tokens": 6,
            "evaluate.metric_model": "base",
            "run.device": "cpu",
            "run.threads": 1,
        },
    )
    experiment = Experiment(recipe, ExperimentFolder(tmp_path), "lslo test")
    before = load_base(str(model)).model.state_dict()
    training = tasks.train(experiment).artifact
    result = training.result
    assert training.model.shape.parameters == training.model.parameters
    attention = 16 + (training.model.attention_dim or 16)
    feed_forward = 2 * 32  # d_model units of ffn_dim
    sites = 2 * (3 * attention + feed_forward) + (6 * attention + feed_forward)
    assert result.trainable_parameters == (2 + 2 + 4) * sites
    assert result.history[-1].loss < result.history[0].loss
    written = tasks.evaluate(experiment)
    assert [item.artifact.result.run for item in written] == ["base", "2-4"]
    assert all(len(item.artifact.result.directions) == 6 for item in written)
    after = load_base(str(model)).model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_new_language_is_added_trained_saved_loaded_and_translated(model, family, text, tmp_path):
    folder = tmp_path / "text"
    shutil.copytree(text, folder)
    tuvan = ["ol diis bicii bazyn korup tur", "yt bazynda udup tur", "bicii yt diisti korup tur"]
    for split, step in (("dev", 1), ("devtest", -1)):
        (folder / split / f"tyv.{split}").write_text("\n".join(tuvan[::step]) + "\n", encoding="utf-8")
    given = {
        "langs": "en,fr",
        "model.name": str(model),
        "data.path": str(folder),
        "fit.epochs": 3,
        "fit.lr": 0.01,
        "fit.dropout": 0.0,
        "fit.accumulate": 1,
        "evaluate.beam": 2,
        "evaluate.max_new_tokens": 6,
        "evaluate.metric_model": "base",
        "run.device": "cpu",
        "run.threads": 1,
    }
    recipe = resolve(None, {**given, "new_languages.tyv": "kk"})
    experiment = Experiment(recipe, ExperimentFolder(tmp_path / "results"), "lslo test")
    notes = []
    training = tasks.train(experiment, on_event=notes.append)
    is_exported = not (FAMILIES[family].is_bare or FAMILIES[family].sentencepiece_ids)
    told = [each.text for each in notes if isinstance(each, Noted) and "no merged export" in each.text]
    assert len(told) == (0 if is_exported else 1)
    saved = load_file(training.path.parent / training.artifact.result.weights.path)["embedding.tyv"]
    begun = add_languages(load_base(str(model)), {"tyv": "kk"}).new_rows.state_dict()["embedding.tyv"]
    assert saved.shape == begun.shape and not torch.equal(saved, begun)
    base, run = (written.path.parent / "hypotheses" for written in tasks.evaluate(experiment))
    assert {path.stem for path in run.iterdir()} == {"en-fr", "fr-en", "en-tyv", "tyv-en", "fr-tyv", "tyv-fr"}
    for direction in ("en-fr", "fr-en"):
        assert (run / f"{direction}.txt").read_text() == (base / f"{direction}.txt").read_text()
    if not is_exported:
        with pytest.raises(UsageError, match="no place for the added tyv|language 'tyv' is like a word"):
            export(experiment, "tyv8", tmp_path / "merged", "merged", source="en", target="tyv")
        return
    for src, tgt in (("en", "tyv"), ("tyv", "fr")):
        merged = tmp_path / f"{src}-{tgt}"
        assert export(experiment, "tyv8", merged, "merged", source=src, target=tgt) < 1e-3
        knowing = {"model.name": str(merged), "langs": "en,fr,tyv", "languages.tyv.resource": "very-low"}
        merged_alone = replace(experiment, recipe=resolve(None, {**given, **knowing}))
        lines = (folder / "devtest" / f"{'eng' if src == 'en' else src}.devtest").read_text(encoding="utf-8")
        found = tasks.translate(
            tasks.open_translator(merged_alone, "base"), lines.splitlines(), src=src, tgt=tgt
        )
        assert [line for (line,) in found] == (run / f"{src}-{tgt}.txt").read_text().splitlines()


@pytest.mark.parametrize("code", ["tyv", "kjh_Cyrl"])
def test_a_new_language_that_is_written_is_read_under_its_code(model, family, tmp_path, code):
    added = add_languages(load_base(str(model)), {code: "kk"})
    if FAMILIES[family].sentencepiece_ids or (FAMILIES[family].is_bare and code == "tyv"):
        with pytest.raises(UsageError, match="no place for the added|'tyv' is like a word") as caught:
            with_known_languages(added)
        assert caught.value.hint
        return
    base, folder = with_known_languages(added), tmp_path / "with"
    written = load_base(save_base(base, folder).identity.name).tokenizer
    assert (written.languages, written.vocab_size) == (base.tokenizer.languages, len(base.tokenizer.tokens))
    assert written.languages[-1] == code and model_languages(str(folder)) == written.languages
    stock, text = AutoTokenizer.from_pretrained(folder), "the small cat"
    assert stock.convert_tokens_to_ids(written.tokens[-1]) == len(written.tokens) - 1
    assert stock(text, add_special_tokens=False).input_ids == written.encode(text)


def test_a_new_language_has_the_place_that_the_family_gives_any(base, family, lines):
    known = base.tokenizer
    tokenizer = known.with_languages(["tyv", "kjh_Cyrl"])
    tyv, en = known.vocab_size, known.language_id("en")
    assert (tokenizer.language_id("tyv"), tokenizer.language_id("kjh_Cyrl")) == (tyv, tyv + 1)
    assert tokenizer.languages == (*known.languages, "tyv", "kjh_Cyrl")
    assert tokenizer.output_size == known.vocab_size == tokenizer.vocab_size - 2
    assert "tyv" not in known.languages
    sequences = (tokenizer.source_ids([9], "tyv", "en"), tokenizer.source_ids([9], "en", "tyv"))
    into_en, into_tyv = [en, 9, 2], [tyv, 9, 2]
    reads_target = FAMILIES[family].encoder_language is Index.TARGET
    assert sequences == ((into_en, into_tyv) if reads_target else (into_tyv, into_en))
    assert tokenizer.decode([tyv, *tokenizer.encode(lines["eng"][0]), 2]) == lines["eng"][0]


@pytest.mark.parametrize(
    ("relatives", "message"),
    [
        ({"fra": "kk"}, "--add-lang fra: base model .* knows this language already"),
        ({"tyv": "kq"}, "--like kq: base model .* has no token .* Did you mean '"),
        ({"tyv": "gag", "gag": "tr"}, "--like gag: base model .* has no token"),
    ],
)
def test_a_language_that_is_not_new_or_has_no_relative_is_refused(base, relatives, message):
    with pytest.raises(UsageError, match=message) as caught:
        add_languages(base, relatives)
    assert caught.value.hint and base.new_rows is None


def test_our_beam_search_and_transformers_find_the_same(base, lines):
    sources = {Direction("en", "fr"): lines["eng"], Direction("nl", "en"): lines["nld"]}
    (batch,) = TranslationBatches(sources, base.tokenizer, ("en", "fr", "nl"), max_tokens=9000, max_length=60)
    found = beam_search(base, batch, beam=3, max_length_b=7)
    assert found == reference.translate(base, batch, beam=3, max_length_b=7)
    assert all(len(ids) <= 7 for ids in found) and any(found)
    assert not set(base.tokenizer.languages) & {base.tokenizer.decode(ids) for ids in found}
    assert len(translate(base, batch, beam=3, max_length_b=7)) == len(found)


ODD = {
    **dict.fromkeys(("use_cache", "return_dict"), False),
    **dict.fromkeys(("output_attentions", "output_hidden_states", "torchscript", "is_decoder"), True),
    **dict.fromkeys(("add_cross_attention", "tie_encoder_decoder", "remove_invalid_values"), True),
    **{"chunk_size_feed_forward": 2, "pruned_heads": {"0": [0]}, "dtype": "float16"},
    **{"forced_bos_token_id": 7, "forced_eos_token_id": 2, "min_length": 6, "max_length": 3},
    **{"num_beams": 2, "length_penalty": 9.0, "no_repeat_ngram_size": 1, "repetition_penalty": 5.0},
}
"""Keys of config.json and generation_config.json that change what transformers returns or searches for."""


def test_no_setting_of_a_folder_changes_a_translation_and_what_is_written_has_its_search(
    base, model, lines, tmp_path
):
    folder = shutil.copytree(model, tmp_path / "odd")
    pad = {} if base.tokenizer.family.sentencepiece_ids else {"pad_token_id": 2}
    for name in ("config.json", "generation_config.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | ODD | pad))
    odd = load_base(str(folder))
    sources = {Direction("en", "fr"): lines["eng"], Direction("nl", "en"): lines["nld"]}
    (batch,) = TranslationBatches(sources, base.tokenizer, ("en", "fr", "nl"), max_tokens=9000, max_length=60)
    for search in (ranked_translations, ranked_search):
        expected, found = (search(each, batch, beam=3, max_length_b=7) for each in (base, odd))
        assert found == expected
    written = json.loads((save_base(odd, tmp_path / "written").folder / "generation_config.json").read_text())
    kept = ("max_length", "num_beams", "length_penalty", "repetition_penalty", "forced_eos_token_id")
    assert [written[key] for key in kept] == [ODD[key] for key in kept]
    assert written["pad_token_id"] == base.tokenizer.pad_id


def test_the_ids_of_m2m_100_are_those_of_transformers(tmp_path, write_model, lines):
    folder = write_model(tmp_path / "m2m", "m2m-100")
    ours = Tokenizer.load(folder)
    theirs = M2M100Tokenizer(str(folder / "vocab.json"), str(folder / SENTENCEPIECE))
    for code, flores in (("en", "eng"), ("fr", "fra"), ("nl", "nld")):
        theirs.src_lang = code
        for line in lines[flores]:
            assert ours.source_ids(ours.encode(line), code, "en") == theirs(line).input_ids


def test_the_ids_of_m2m_124_are_those_of_transformers_where_only_the_settings_state_them(
    tmp_path, write_model
):
    """As transformers 5 saves the tokenizer, whose added_tokens.json nothing of it needs."""
    folder = write_model(tmp_path / "m2m", "m2m-124")
    expected = Tokenizer.load(folder)
    M2M100Tokenizer.from_pretrained(folder).save_pretrained(folder)
    assert json.loads((folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    (folder / "added_tokens.json").unlink()
    ours, theirs = load_base(str(folder)).tokenizer, M2M100Tokenizer.from_pretrained(folder)
    assert ours.family is FAMILIES["m2m-124"] and len(ours.languages) == 124
    for code in ours.languages:
        assert ours.language_id(code) == theirs.convert_tokens_to_ids(f"__{code}__")
    assert ours.digest == expected.digest


def test_m2m_100_whose_languages_are_stated_as_added_is_still_m2m_100(tmp_path, write_model):
    folder = write_model(tmp_path / "m2m", "m2m-100")
    expected = Tokenizer.load(folder)
    ids = {f"__{code}__": expected.language_id(code) for code in FAMILIES["m2m-100"].languages}
    (folder / "added_tokens.json").write_text(json.dumps(ids))
    stated = Tokenizer.load(folder)
    assert stated.family is FAMILIES["m2m-100"] and stated.digest == expected.digest


def test_an_mbart_with_a_bias_of_its_logits_is_refused(tmp_path, write_model):
    folder = write_model(tmp_path / "mbart", "mbart-50")
    model = MBartForConditionalGeneration.from_pretrained(folder)
    model.final_logits_bias += 1
    model.save_pretrained(folder)
    with pytest.raises(InputError, match="adds a bias to its logits"):
        load_base(str(folder))


def test_ctranslate2_reads_an_mbart_whose_config_lacks_what_it_needs(tmp_path, write_model, text):
    """That of transformers 5 says neither that layers are pre-norm nor that it is an mBART-50."""
    pytest.importorskip("ctranslate2", reason="its converter writes the export")
    folder = write_model(tmp_path / "mbart", "mbart-50")
    assert (
        not {"normalize_before", "tokenizer_class"} & json.loads((folder / "config.json").read_text()).keys()
    )
    given = {"langs": "en,fr", "model.name": str(folder), "data.path": str(text), "train.ranks": "2"}
    recipe = resolve(None, {**given, "fit.epochs": 1, "run.device": "cpu", "run.threads": 1})
    experiment = Experiment(recipe, ExperimentFolder(tmp_path / "results"), "lslo test")
    run = tasks.train(experiment).artifact.result.run
    assert export(experiment, run, tmp_path / "ct2", "ct2", source="en", target="fr") < 1e-3


def test_nllb_without_tokenizer_json_has_the_same_ids(tmp_path, write_model):
    folder = write_model(tmp_path / "nllb", "nllb-200")
    full = load_base(str(folder)).tokenizer
    (folder / "tokenizer.json").unlink()
    assert load_base(str(folder)).tokenizer.digest == full.digest


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", "{", "does not map tokens to ids"),
        ("tokenizer.json", '{"model": {}}', "holds no vocabulary"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 7}}, "added_tokens": []}', "are not 0 to 0"),
        ("tokenizer_config.json", "[]", "does not map tokens to ids"),
        ("family.json", '{"family": "m2m-7"}', "names an unknown family 'm2m-7'"),
    ],
)
def test_damaged_tokenizer_files_are_refused(tmp_path, name, content, message, write_model):
    folder = write_model(tmp_path / "nllb", "nllb-200")
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        load_base(str(folder))
    assert caught.value.hint


def test_a_decoder_with_a_feed_forward_of_its_own_width_is_known_by_its_header(tmp_path, write_model):
    folder = write_model(tmp_path / "m2m", "m2m-100")
    config = M2M100Config.from_pretrained(folder, decoder_ffn_dim=40)
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    base = load_base(str(folder))
    shape = base_facts(str(folder)).shape
    assert shape.parameters == base.identity.parameters
    assert (shape.ffn_dim, shape.decoder_ffn_dim, base.identity.decoder_ffn_dim) == (24, 40, 40)
    adapters = attach(base.model, paper(2, 1), RankMap({"en": 1}), ("en",), ADAPTERS)
    assert sum(each.numel() for each in adapters.parameters()) == RankMap({"en": 1}).parameters(
        shape, span=Span.ALL
    )


def test_rows_without_a_token_are_never_written(tmp_path, write_model, lines):
    base = load_base(str(write_model(tmp_path / "m2m", "m2m-100")))
    made_up = base.tokenizer.unused
    assert made_up == list(range(base.tokenizer.vocab_size - 8, base.tokenizer.vocab_size))
    with torch.no_grad():  # each is far more probable than any token
        base.model.model.shared.weight[made_up] *= 50
    sources = {Direction("en", "fr"): lines["eng"]}
    (batch,) = TranslationBatches(sources, base.tokenizer, ("en", "fr"), max_tokens=900, max_length=60)
    found = [search(base, batch, beam=3, max_length_b=7) for search in (translate, beam_search)]
    assert not {index for rows in found for row in rows for index in row} & set(made_up)
    assert any(found[0]) and any(found[1])


def test_what_is_written_may_be_rounded_up_again(base, tmp_path):
    folder, rows = save_base(base, tmp_path / "saved").folder, base.tokenizer.vocab_size
    for name in (SENTENCEPIECE, "spiece.model", "dict.txt"):
        (folder / name).unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows + 7}))
    read = load_base(str(folder), weights=False).tokenizer
    assert read.unused == [*base.tokenizer.unused, *range(rows, rows + 7)]
    assert len(set(read.tokens)) == rows + 7


@pytest.mark.parametrize("key", ["small-100", "madlad-400", "m2m-100"])
def test_a_text_in_two_languages_is_translated_as_each_alone_is(tmp_path, write_model, lines, key):
    """A name or a number has the same ids from every language where the encoder reads the target's token."""
    base = load_base(str(write_model(tmp_path / key, key)))
    codes = ("en", "fr", "nl")
    adapters = attach(
        base.model, uniform(Index.SOURCE, 2, 1), RankMap(dict.fromkeys(codes, 4)), codes, ADAPTERS
    )
    torch.manual_seed(2)
    for parameter in adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.5)

    def scores(*sources):
        text = {Direction(src, "nl"): [lines["eng"][0]] for src in sources}
        (batch,) = TranslationBatches(text, base.tokenizer, codes, max_tokens=900, max_length=60)
        ranked = ranked_search(base, batch, adapters.route, beam=2, max_length_b=8)
        return {direction.src: found[0][1] for (direction, _), found in zip(batch.keys, ranked, strict=True)}

    together, alone = scores("en", "fr"), scores("en") | scores("fr")
    assert alone["en"] != pytest.approx(alone["fr"], rel=1e-3)
    assert together == pytest.approx(alone, rel=1e-4)


def test_a_source_longer_than_the_learned_positions_is_cut_and_a_pair_left_out(tmp_path, write_model, lines):
    """mBART's 64 positions here, and a source that the recipe's 256 tokens allow."""
    folder, text = write_model(tmp_path / "mbart", "mbart-50"), tmp_path / "text"
    for split, step in (("dev", 1), ("devtest", -1)):
        (text / split).mkdir(parents=True)
        for code, short in lines.items():
            rows = [*short[::step], " ".join([*short] * 12)]
            (text / split / f"{code}.{split}").write_text("\n".join(rows) + "\n", encoding="utf-8")
    notes: list[str] = []
    recipe = resolve(
        given={
            **{"langs": "en,fr", "model.name": str(folder), "data.path": str(text), "name": "long"},
            **{"fit.epochs": 1, "train.ranks": "2", "run.device": "cpu", "run.threads": 1},
            **{"evaluate.metric_model": "base", "evaluate.max_new_tokens": 8, "evaluate.beam": 1},
        }
    )
    experiment = Experiment(recipe, ExperimentFolder(tmp_path / "long"), "lslo test")
    tasks.train(experiment, on_event=lambda event: notes.append(str(event)))
    tasks.evaluate(experiment, on_event=lambda event: notes.append(str(event)))
    words = "64 tokens, the number of positions of the base model"
    assert any(f"left out 2 sentence pairs longer than {words}" in note for note in notes)
    assert any(f"cut 2 sources at {words}" in note for note in notes)


def test_positions_that_were_stored_beside_the_weights_are_ignored(tmp_path, write_model):
    folder = write_model(tmp_path / "m2m", "m2m-100")
    state = load_file(folder / "model.safetensors")
    state |= {f"model.{side}.embed_positions.weights": torch.zeros(66, 16) for side in ("encoder", "decoder")}
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    loaded = load_base(str(folder)).model
    assert torch.equal(loaded.model.shared.weight, state["model.shared.weight"])


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, write_model):
    folder = write_model(tmp_path / "m2m", "m2m-100")
    state = load_file(folder / "model.safetensors")
    state["model.encoder.layers.1.fc1.weight"][2, 3] = float("nan")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"encoder\.layers\.1\.fc1\.weight .* is not finite"):
        load_base(str(folder))
