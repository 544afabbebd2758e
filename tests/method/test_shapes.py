import pytest

from lslo_cli.method.shapes import SHAPES, ModelShape
from lslo_cli.method.sites import Kind, SiteSet
from lslo_cli.method.span import Span

M2M = SHAPES["m2m-124-615m"]


@pytest.mark.parametrize(
    ("name", "parameters"), [("m2m-124-615m", 614_990_848), ("m2m-124-175m", 175_276_544)]
)
def test_the_parameters_of_the_published_models_are_counted_exactly(name, parameters):
    assert SHAPES[name].parameters == parameters


def test_the_tied_embedding_is_counted_once():
    assert M2M.parameters - ModelShape(12, 12, 1024, 4096, 0).parameters == 262_272_000


def test_the_count_is_that_of_a_real_model():
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    config = M2M100Config(
        vocab_size=50,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
    )
    model = M2M100ForConditionalGeneration(config)
    assert ModelShape(1, 2, 16, 24, 50).parameters == sum(weight.numel() for weight in model.parameters())


def test_feed_forward_matrices_are_wide_and_all_others_square():
    assert M2M.matrix(Kind.FC1) == (4096, 1024)
    assert M2M.matrix(Kind.FC2) == (1024, 4096)
    assert {M2M.matrix(kind) for kind in Kind if kind.is_attention} == {(1024, 1024)}


@pytest.mark.parametrize(("site_set", "count"), [("all", 156), ("attn", 108), ("fc", 48)])
def test_the_615m_model_has_as_many_sites_as_the_paper_adapts(site_set, count):
    assert len(M2M.sites(SiteSet(site_set))) == count


def test_an_adapter_is_as_large_as_its_matrix_or_square():
    assert {M2M.adapter(kind, Span.ALL) == M2M.matrix(kind) for kind in Kind} == {True}
    assert {M2M.adapter(kind, Span.D_MODEL) for kind in Kind} == {(1024, 1024)}


def test_no_adapter_is_larger_than_its_matrix():
    narrow = ModelShape(1, 1, 16, 12, 50)
    assert narrow.adapter(Kind.FC1, Span.D_MODEL) == (12, 16)
    assert narrow.adapter(Kind.FC2, Span.D_MODEL) == (16, 12)
