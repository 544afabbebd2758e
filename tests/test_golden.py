"""Losses and translations of the built-in world, as the code computed them before anything was optimised.

The numbers and sentences are those of commit 682c7f2, where a routed adapter was three plain operations, the
loss torch's cross-entropy over all logits, and translations came from transformers' generate. In float64
that commit gives the same losses within 2e-7, and the same sentences.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.loss import label_smoothed_loss
from benchmarks.reference import translate
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.models.base import load_base
from lslo_cli.models.encoder import encode_once
from lslo_cli.nn.attach import attach
from lslo_cli.nn.groups import Groups
from lslo_cli.nn.loss import IGNORED, TranslationLoss
from lslo_cli.nn.lslo import LSLo
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatches
from lslo_cli.training.batches import Batch, language_indices, padded
from lslo_cli.world import sentences
from tests.adapters import ADAPTERS


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


TEXT = sentences("train", 5)
CODES = tuple(TEXT)
SMOOTHING = 0.1
BEAM, LONGEST = 5, 40

LOSSES = (3.07660842, 3.03027272, 3.58175731, 3.13413596, 2.66095924)
"""Per token, of five updates."""

TRANSLATIONS = (
    "kufen lofako raseru",
    "kosta neniche lontota",
    "kuhen nelako ralorro",
    "stotstu krandrika dridrotstu",
    "kostaa nenik pinkedaa",
    "mezosham sholzu shichuno",
    "merosam selru sibulnu",
    "drikonka drikonka styhosty",
    "kufen nelakoa joasaru",
    "tsekwipato namu kwemo",
    "namu semu ne sepima tayi",
    "kosta rolike",
)
"""Of the first test sentence of each language into the language after it, with adapters."""


class Merged(nn.Module):
    """LSLo by its definition, sentence by sentence: ``x (W + B_l A_l)^T + b``."""

    def __init__(self, site):
        super().__init__()
        self.base, self.adapter = site.base, site.adapter

    def forward(self, x):
        slots, languages = self.adapter.slots, self.adapter.route.languages(self.adapter.index, len(x))
        rows = []
        for row, language in zip(x, languages.tolist(), strict=True):
            own = slots.columns[slots.by_language[language]]
            weight = self.base.weight + self.adapter.lora_B[:, own] @ self.adapter.lora_A[own]
            rows.append(nn.functional.linear(row, weight, self.base.bias))
        return torch.stack(rows)


@pytest.fixture
def adapted():
    """The base of the built-in world with fixed adapters of ranks 2, 2 and 8 in turn."""
    base = load_base("world")
    ranks = RankMap({code: (2, 2, 8)[number % 3] for number, code in enumerate(CODES)})
    adapters = attach(base.model, paper(3, 3), ranks, CODES, ADAPTERS)
    generator = np.random.default_rng(1)
    with torch.no_grad():
        adapters.load_state_dict(
            {
                key: torch.from_numpy(generator.normal(0, 0.12, tuple(weight.shape)).astype(np.float32))
                for key, weight in sorted(adapters.state_dict().items())
            }
        )
    return SimpleNamespace(base=base, adapters=adapters)


def routed(adapted):
    """Leave every site as it is."""
    return adapted


def merged(adapted):
    """Put the definition on every site."""
    for name, module in list(adapted.base.model.named_modules()):
        if isinstance(module, LSLo):
            adapted.base.model.set_submodule(name, Merged(module))
    return adapted


def training_batch(tokenizer, row):
    """A sentence from each language into two others, with targets in order."""
    pairs = sorted((tgt % 12, src) for src in range(12) for tgt in (src + 1, src + 5 + row))
    directions = [Direction(CODES[src], CODES[tgt]) for tgt, src in pairs]
    pieces = {code: tokenizer.encode(lines[row]) for code, lines in TEXT.items()}
    input_ids, mask = padded(
        [tokenizer.source_ids(pieces[d.src], d.src, d.tgt) for d in directions], tokenizer.pad_id
    )
    labels, real = padded([tokenizer.target_ids(pieces[d.tgt], d.src, d.tgt) for d in directions], IGNORED)
    return Batch(input_ids, mask, labels, *language_indices(directions, CODES), tokens=int(real.sum()))


def sources_batch(tokenizer):
    """The first test sentence of each language, to be translated into the next one."""
    lines = sentences("test", 1)
    sources = {Direction(src, tgt): lines[src] for src, tgt in zip(CODES, CODES[1:] + CODES[:1], strict=True)}
    (batch,) = TranslationBatches(sources, tokenizer, CODES, max_tokens=10_000, max_length=60)
    return batch


def losses(adapted, objective):
    """Loss per token of five updates of the adapters by Adam."""
    optimizer = torch.optim.Adam(adapted.adapters.parameters(), lr=1e-3, betas=(0.9, 0.98))
    measured = []
    for row in range(5):
        batch = training_batch(adapted.base.tokenizer, row)
        with adapted.adapters.route.of(batch.source_language, batch.target_language):
            loss = objective(batch) / batch.tokens
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        measured.append(float(loss.detach()))
    return measured


def translations(adapted, search):
    """In the order of the source languages."""
    batch = sources_batch(adapted.base.tokenizer)
    by_source = zip(batch.source_language.tolist(), search(adapted.base, batch), strict=True)
    return tuple(adapted.base.tokenizer.decode(pieces) for _, pieces in sorted(by_source))


def plain_loss(model, batch):
    """The loss from all logits, with the decoder's input made here."""
    start = torch.full_like(batch.labels[:, :1], model.config.decoder_start_token_id)
    before = torch.cat((start, batch.labels[:, :-1]), dim=1)
    before = before.masked_fill(before == IGNORED, model.config.pad_token_id)
    logits = model(batch.input_ids, attention_mask=batch.attention_mask, decoder_input_ids=before).logits
    real = batch.labels != IGNORED
    return label_smoothed_loss(logits[real], batch.labels[real], SMOOTHING)


def test_losses_are_those_of_the_first_code(adapted):
    assert losses(adapted, TranslationLoss(adapted.base.model, SMOOTHING)) == pytest.approx(LOSSES, rel=1e-5)


def test_losses_with_shared_sources_are_those_of_the_first_code(adapted):
    encode = partial(encode_once, route=adapted.adapters.route)
    objective = TranslationLoss(adapted.base.model, SMOOTHING, encode)
    assert losses(adapted, objective) == pytest.approx(LOSSES, rel=1e-5)


def test_losses_by_the_definition_are_those_of_the_first_code(adapted):
    by_definition = partial(plain_loss, merged(adapted).base.model)
    assert losses(adapted, by_definition) == pytest.approx(LOSSES, rel=1e-5)


def test_losses_of_the_form_for_other_devices_are_those_of_the_first_code(adapted, monkeypatch):
    monkeypatch.setattr(Groups, "runs", Groups.masked)
    assert losses(adapted, TranslationLoss(adapted.base.model, SMOOTHING)) == pytest.approx(LOSSES, rel=1e-5)


def test_losses_in_bfloat16_are_near_those_of_the_first_code(adapted):
    with torch.autocast("cpu", torch.bfloat16):
        measured = losses(adapted, TranslationLoss(adapted.base.model, SMOOTHING))
    assert measured == pytest.approx(LOSSES, rel=0.01)


def ours(base, batch, route):
    return beam_search(base, batch, route, beam=BEAM, max_length_b=LONGEST)


def generate(base, batch, route):
    with route.of(batch.source_language, batch.target_language), torch.no_grad():
        return translate(base, batch, beam=BEAM, max_length_b=LONGEST)


@pytest.mark.parametrize("search", [ours, generate])
@pytest.mark.parametrize("form", [routed, merged])
def test_translations_are_those_of_the_first_code(adapted, search, form):
    form(adapted)
    search = partial(search, route=adapted.adapters.route)
    assert translations(adapted, search) == TRANSLATIONS
