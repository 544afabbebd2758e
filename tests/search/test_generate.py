"""The search by transformers' own rules."""

from types import SimpleNamespace

import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.generate import ranked_translations
from lslo_cli.search.stream import TranslationBatch


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


def translate(*arguments, **settings):
    """The best hypothesis of every sentence by transformers."""
    return best(ranked_translations(*arguments, **settings))


TOKENIZER = SimpleNamespace(unused=[])
PAD, EOS = 1, 2
LANGUAGES = (27, 28, 29)


@pytest.fixture(scope="module")
def base():
    """A random model that is peaked enough to have opinions, and ends its sentences."""
    config = M2M100Config(
        vocab_size=30,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        init_std=0.3,
    )
    torch.manual_seed(2)
    model = M2M100ForConditionalGeneration(config)
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(30).index_fill(0, torch.tensor(EOS), 4.0))
    return SimpleNamespace(model=model.eval(), tokenizer=TOKENIZER)


@pytest.fixture(scope="module")
def batch():
    torch.manual_seed(5)
    mask = (torch.arange(9) < torch.randint(3, 10, (24,))[:, None]).long()
    ids = torch.randint(4, 27, (24, 9)).masked_fill(mask == 0, PAD)
    target = torch.arange(24) % 3
    languages = torch.tensor(LANGUAGES)[target]
    prompt = torch.stack((torch.full_like(languages, EOS), languages), dim=1)
    return TranslationBatch(ids, mask, prompt, target, target, tuple(range(24)))


def test_it_is_transformers_search_after_a_prompt(base, batch):
    outputs = translate(base, batch, max_length_b=12)
    sequences = base.model.generate(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        decoder_input_ids=batch.prompt_ids,
        num_beams=5,
        max_length=14,
        do_sample=False,
    )
    kept = [[token for token in row[2:] if token not in (PAD, EOS)] for row in sequences.tolist()]
    assert outputs == kept
    assert outputs != beam_search(base, batch, max_length_b=12)


def test_the_encoder_sees_a_sentence_once_and_the_decoder_sees_it_once_per_beam(base, batch):
    rows = {"encoder": set(), "decoder": set()}
    stacks = {"encoder": base.model.model.encoder, "decoder": base.model.model.decoder}
    handles = [
        stack.register_forward_hook(lambda module, inputs, output, name=name: rows[name].add(len(output[0])))
        for name, stack in stacks.items()
    ]
    translate(base, batch, beam=4, max_length_b=3)
    for handle in handles:
        handle.remove()
    assert rows == {"encoder": {24}, "decoder": {24 * 4}}


def test_a_model_in_training_mode_is_refused(base, batch):
    base.model.train()
    try:
        with pytest.raises(ValueError, match="training mode"):
            translate(base, batch)
    finally:
        base.model.eval()


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_score_is_the_log_probability_over_the_length_for_any_beam(base, batch, beam, length_penalty):
    found = ranked_translations(base, batch, beam=beam, max_length_b=9, length_penalty=length_penalty)
    finished = 0
    for row, ((pieces, score),) in enumerate(found):
        if len(pieces) > 8:
            continue  # it was cut, so that </s> is not in its score
        finished += 1
        written = torch.tensor([*batch.prompt_ids[row].tolist(), *pieces, EOS])[None]
        with torch.no_grad():
            output = base.model(
                input_ids=batch.input_ids[row : row + 1],
                attention_mask=batch.attention_mask[row : row + 1],
                decoder_input_ids=written[:, :-1],
            )
        log_probs = output.logits[0].log_softmax(dim=1).gather(1, written[0, 1:, None])[1:]
        assert score == pytest.approx(float(log_probs.sum()) / len(log_probs) ** length_penalty, rel=1e-4)
        assert score < 0
    assert finished
