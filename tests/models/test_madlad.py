"""T5 with gated feed-forward, as MADLAD-400 has it: what the tests of all families do not show."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

from benchmarks import families, reference
from benchmarks.families import madlad_pieces
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.events import Advanced
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import Site
from lslo_cli.method.strategy import paper
from lslo_cli.models.base import load_base, save_base
from lslo_cli.models.base_info import base_facts
from lslo_cli.models.tokenizer_files import languages_in
from lslo_cli.nn.attach import attach, site_module
from lslo_cli.recipe import resolve
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatches
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.check_base import Anchor, check_base
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.export import export
from tests.adapters import ADAPTERS


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


TEXT = {code: families.TEXT[code] for code in ("eng", "fra")}
LANGUAGES = ("en", "fr", "kk", "ber_Latn")


@pytest.fixture(scope="module")
def pieces():
    """A sentencepiece model with tokens of languages and bytes among its pieces."""
    return train()


def train(languages=LANGUAGES):
    return madlad_pieces(languages, TEXT, 330)


def write(folder, pieces, own_head=True, **changes):
    """A folder as transformers saves a model, with the sentencepiece model beside it as on the hub."""
    folder.mkdir()
    (folder / "spiece.model").write_bytes(pieces)
    config = T5Config(
        **{
            "vocab_size": 330,
            "d_model": 16,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "d_ff": 24,
            "d_kv": 6,
            "num_heads": 2,
            "feed_forward_proj": "gated-gelu",
            "relative_attention_num_buckets": 8,
            "relative_attention_max_distance": 16,
            "tie_word_embeddings": not own_head,
            "initializer_factor": 3.0,
            "pad_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 0,
            **changes,
        }
    )
    torch.manual_seed(4)
    network = T5ForConditionalGeneration(config)
    if own_head:
        network.lm_head.weight = torch.nn.Parameter(torch.randn(config.vocab_size, 16))
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(pieces, tmp_path_factory):
    return write(tmp_path_factory.mktemp("models") / "t5", pieces)


@pytest.fixture(scope="module")
def base(folder):
    return load_base(str(folder))


@pytest.fixture
def recipe(folder, tmp_path):
    for split, step in (("dev", 1), ("devtest", -1)):
        (tmp_path / "text" / split).mkdir(parents=True)
        for code, lines in TEXT.items():
            (tmp_path / "text" / split / f"{code}.{split}").write_text("\n".join(lines[::step]) + "\n")

    def resolved(**changes):
        given = {
            "langs": "en,fr",
            "model.name": str(folder),
            "data.path": str(tmp_path / "text"),
            "fit.epochs": 3,
            "fit.lr": 0.01,
            "fit.dropout": 0.2,
            "fit.accumulate": 1,
            "train.ranks": "2",
            "evaluate.beam": 2,
            "evaluate.max_new_tokens": 6,
            "evaluate.metric_model": "base",
            "run.device": "cpu",
            "run.threads": 1,
        }
        return resolve(None, given | changes)

    return resolved


@pytest.mark.parametrize("own_head", [True, False])
@pytest.mark.parametrize("adapted", [True, False])
def test_the_fast_search_finds_what_generate_finds(pieces, tmp_path, own_head, adapted):
    base = load_base(str(write(tmp_path / "t5", pieces, own_head)))
    assert (base.model.lm_head.weight is base.model.shared.weight) is not own_head
    sources = {Direction("en", "fr"): TEXT["eng"], Direction("fr", "en"): TEXT["fra"]}
    (batch,) = TranslationBatches(sources, base.tokenizer, ("en", "fr"), max_tokens=9000, max_length=60)
    route = None
    if adapted:
        adapters = attach(base.model, paper(2, 2), RankMap({"en": 2, "fr": 3}), ("en", "fr"), ADAPTERS)
        route = adapters.route
        for parameter in adapters.parameters():
            torch.nn.init.normal_(parameter, std=0.3).requires_grad_(False)
    settings = {"beam": 4, "max_length_b": 40}  # beyond the last bucket of distances
    found = beam_search(base, batch, route, **settings)
    if route:
        with route.of(batch.source_language, batch.target_language):
            assert found == reference.translate(base, batch, **settings)
    else:
        assert found == reference.translate(base, batch, **settings)
    assert max(map(len, found)) > 20


def test_the_maps_into_and_out_of_the_non_linearity_carry_adapters_and_the_gate_none(folder):
    model = load_base(str(folder)).model
    adapters = attach(model, paper(2, 2), RankMap({"en": 2}), ("en",), ADAPTERS)
    assert len(adapters.by_site) == 2 * 5 + 2 * 8
    block = model.decoder.block[1].layer
    assert site_module(model, Site.parse("decoder.2.fc1")) is block[2].DenseReluDense.wi_0
    assert site_module(model, Site.parse("decoder.2.fc2")) is block[2].DenseReluDense.wo
    assert site_module(model, Site.parse("decoder.2.c-k")) is block[1].EncDecAttention.k
    assert isinstance(block[2].DenseReluDense.wi_1, torch.nn.Linear)
    assert (adapters.by_site[Site.parse("encoder.1.q")].lora_B.shape[0], model.config.d_model) == (12, 16)


def test_a_run_that_was_halted_goes_on_to_the_same_weights(recipe, tmp_path):
    def experiment(name):
        return Experiment(
            recipe(**{"run.share_sources": True}), ExperimentFolder(tmp_path / name), "lslo test"
        )

    def interrupt(event):
        if isinstance(event, Advanced) and event.note.startswith("epoch 2/3"):
            raise KeyboardInterrupt

    whole = tasks.train(experiment("whole")).artifact
    halted = experiment("halted")
    with pytest.raises(KeyboardInterrupt):
        tasks.train(halted, on_event=interrupt)
    resumed = tasks.train(halted, resume=True).artifact
    assert resumed.digest == whole.digest
    (base, run) = tasks.evaluate(halted)
    assert (base.artifact.result.run, run.artifact.result.run) == ("base", "2")
    assert whole.model.attention_dim == 12


def test_sharing_sources_changes_no_loss(recipe, tmp_path):
    losses = [
        [
            epoch.loss
            for epoch in tasks.train(
                Experiment(
                    recipe(**{"run.share_sources": share, "fit.dropout": 0.0, "fit.attention_dropout": 0.0}),
                    ExperimentFolder(tmp_path / str(share)),
                    "lslo test",
                )
            ).artifact.result.history
        ]
        for share in (False, True)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_characters_without_a_piece_are_written_and_read_as_bytes(base):
    text = "the cat 🐈 sees žluťoučký"
    assert base.tokenizer.decode(base.tokenizer.encode(text)) == text
    assert base.tokenizer.decode([base.tokenizer.unk_id, *base.tokenizer.encode("dog")]) == "<unk> dog"
    assert base.tokenizer.decode([base.tokenizer.encode("🐈")[1], 2]) == "�"


def test_a_saved_model_is_read_by_stock_transformers(base, tmp_path):
    saved = save_base(base, tmp_path / "saved")
    assert load_base(str(saved.folder)).identity == saved.identity
    stock = AutoTokenizer.from_pretrained(saved.folder)
    model = T5ForConditionalGeneration.from_pretrained(saved.folder)
    assert torch.equal(model.lm_head.weight, base.model.lm_head.weight)
    assert (stock.pad_token_id, stock.eos_token_id, stock.unk_token_id) == (1, 2, 0)
    for line in (*TEXT["eng"], "the 🐈 sees"):
        ids = base.tokenizer.encode(line)
        assert stock(line).input_ids == [*ids, 2]
        assert stock("<2fr> " + line).input_ids == base.tokenizer.source_ids(ids, "en", "fr")
        assert stock.decode(ids) == base.tokenizer.decode(ids)


def test_a_tokenizer_json_alone_gives_the_same_ids(base, tmp_path):
    saved = save_base(base, tmp_path / "saved").folder
    (saved / "spiece.model").unlink()
    tokenizer = load_base(str(saved)).tokenizer
    assert tokenizer.languages == base.tokenizer.languages == ("en", "fr", "kk", "ber_Latn")
    for line in (*TEXT["eng"], *TEXT["fra"], "🐈"):
        assert tokenizer.encode(line) == base.tokenizer.encode(line)


def test_weights_without_the_shared_table_are_the_same_model(folder, base, tmp_path):
    """The published files have the embedding under the decoder's name only."""
    other = tmp_path / "published"
    shutil.copytree(folder, other)
    state = load_file(other / "model.safetensors")
    state["decoder.embed_tokens.weight"] = state.pop("shared.weight")
    save_file(state, other / "model.safetensors", metadata={"format": "pt"})
    loaded = load_base(str(other))
    assert torch.equal(loaded.model.encoder.embed_tokens.weight, base.model.shared.weight)
    assert base_facts(str(other)).parameters == base_facts(str(folder)).parameters


@pytest.mark.parametrize("own_head", [True, False])
def test_the_facts_are_those_of_the_weights(pieces, tmp_path, own_head):
    path = write(tmp_path / "t5", pieces, own_head)
    facts, base = base_facts(str(path)), load_base(str(path))
    assert (facts.family, facts.architecture) == ("MADLAD-400", "t5")
    assert facts.parameters == facts.shape.parameters == base.model.num_parameters()
    assert (facts.shape.attention_dim, facts.shape.ffn_dim) == (12, 24)
    assert facts.languages == ("en", "fr", "kk", "ber_Latn")


def test_sorani_and_kurmanji_have_their_own_tokens(tmp_path, monkeypatch):
    folder = write(tmp_path / "t5", train(languages=["en", "ku", "ckb"]))
    tokenizer = load_base(str(folder)).tokenizer
    for names, token in ((("ku", "ckb", "ckb_Arab"), "<2ckb>"), (("kmr", "kmr_Latn"), "<2ku>")):
        for name in names:
            assert tokenizer.tokens[tokenizer.source_ids([9], "en", name)[0]] == token
    assert languages_in(folder) == tokenizer.languages == ("en", "kmr", "ku")
    monkeypatch.setattr("lslo_cli.models.tokenizer_files.model_codes", lambda codes: {c: c for c in codes})
    # Runs from when <2ku> was read as Sorani are of another base.
    assert load_base(str(folder)).tokenizer.digest != tokenizer.digest


def test_a_published_model_is_known_by_name():
    facts = base_facts("madlad-400-3b")
    assert (facts.family, facts.parameters) == ("MADLAD-400", 2_940_374_016)
    assert sum(map(sum, (facts.shape.matrix(site) for site in facts.shape.sites()))) == 32 * (
        3 * 3072 + 2 * 9216
    ) + 32 * (6 * 3072 + 2 * 9216)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feed_forward_proj": "relu"}, "is a T5 whose feed-forward is not gated"),
        ({"num_layers": "two"}, "config.json is damaged"),
        ({"pad_token_id": None}, "config.json is damaged"),
        ({"vocab_size": 270}, "but the model's embedding has 270 rows"),
    ],
)
def test_another_t5_is_refused(folder, tmp_path, changes, message):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(InputError, match=message) as caught:
        load_base(str(other))
    assert caught.value.hint


def test_a_vocabulary_without_languages_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no token of a language, such as <2en>"):
        load_base(str(write(tmp_path / "t5", train(languages=["<extra_id_0>"]))))


def test_plans_checks_and_exports_know_it(recipe, tmp_path):
    experiment = Experiment(recipe(), ExperimentFolder(tmp_path / "results"), "lslo test")
    facts = dict(tasks.plan(experiment, "train").facts)
    assert facts["trainable"].startswith(f"{2 * 2 * (2 * (3 * 28 + 64) + 2 * (6 * 28 + 64)):,} parameters")
    anchor = Anchor("a test", (Direction("en", "fr"),), spbleu=0.0, tolerance=100.0)
    (verdict,) = check_base(recipe(), {"tiny": anchor})
    assert verdict.passed


def test_full_fine_tuning_trains_and_restores_the_head_too(recipe, folder, tmp_path):
    changes = {"train.method": "full", "train.ranks": None}
    experiment = Experiment(recipe(**changes), ExperimentFolder(tmp_path / "results"), "lslo test")
    training = tasks.train(experiment)
    state = load_file(training.path.parent / training.artifact.result.weights.path)
    assert not torch.equal(state["lm_head.weight"], load_file(folder / "model.safetensors")["lm_head.weight"])
    assert training.artifact.result.trainable_parameters == training.artifact.model.parameters
    assert [each.artifact.result.run for each in tasks.evaluate(experiment)] == ["base", "full"]


def test_a_run_is_exported_as_a_stock_t5(recipe, tmp_path):
    experiment = Experiment(recipe(**{"fit.epochs": 1}), ExperimentFolder(tmp_path / "results"), "lslo test")
    tasks.train(experiment)
    merged = tmp_path / "merged"
    assert export(experiment, "2", merged, "merged", source="en", target="fr") < 1e-3
    assert T5ForConditionalGeneration.from_pretrained(merged).config.scale_decoder_outputs is False
    assert (
        json.loads((merged / "config.json").read_text())["tie_word_embeddings"] is False
    )  # as version 4 reads


@pytest.mark.parametrize("own_head", [True, False])
def test_a_written_folder_says_of_its_head_what_published_ones_do(pieces, tmp_path, own_head):
    """Whose ``tie_word_embeddings`` is false if the head is separate and its inputs are not scaled."""
    written = save_base(load_base(str(write(tmp_path / "t5", pieces, own_head))), tmp_path / "written")
    assert json.loads((written.folder / "config.json").read_text())["tie_word_embeddings"] is not own_head
    assert load_base(str(written.folder)).model.config.scale_decoder_outputs is not own_head


def test_ctranslate2_is_refused_before_it_scales_what_is_not_scaled(recipe, tmp_path):
    pytest.importorskip("ctranslate2", reason="its converter would write the export")
    experiment = Experiment(recipe(**{"fit.epochs": 1}), ExperimentFolder(tmp_path / "results"), "lslo test")
    tasks.train(experiment)
    with pytest.raises(InputError, match="converts .* to a model that computes something else") as error:
        export(experiment, "2", tmp_path / "ct2", "ct2", source="en", target="fr")
    assert "--format merged" in error.value.hint and not (tmp_path / "ct2").exists()


def test_a_line_break_among_the_bytes_becomes_a_space(pieces, tmp_path):
    """A translation is a line of a file: a break would move all that follow."""
    tokenizer = load_base(str(write(tmp_path / "t5", pieces, True))).tokenizer
    break_, carriage = (tokenizer.tokens.index(piece) for piece in ("<0x0A>", "<0x0D>"))
    words = tokenizer.encode("the cat")
    assert tokenizer.decode([*words, carriage, break_, *words, break_]) == "the cat the cat"
    assert tokenizer.decode([break_]) == ""
