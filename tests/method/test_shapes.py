import pytest

from lslo_cli.method.adapters import Span
from lslo_cli.method.families import SHAPES
from lslo_cli.method.memory import estimate_memory
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Site, SiteSet

M2M = SHAPES["m2m-124-615m"]
at = Site.parse


@pytest.mark.parametrize(
    ("name", "parameters"), [("m2m-124-615m", 614_990_848), ("m2m-124-175m", 175_276_544)]
)
def test_the_parameters_of_the_published_models_are_counted_exactly(name, parameters):
    assert SHAPES[name].parameters == parameters


def test_feed_forward_matrices_are_wide_and_all_others_square():
    assert M2M.matrix(at("encoder.1.fc1")) == (4096, 1024)
    assert M2M.matrix(at("decoder.3.fc2")) == (1024, 4096)
    assert {M2M.matrix(site) for site in M2M.sites(SiteSet.ATTENTION)} == {(1024, 1024)}


@pytest.mark.parametrize(("site_set", "count"), [("all", 156), ("attn", 108), ("fc", 48)])
def test_the_615m_model_has_as_many_sites_as_the_paper_adapts(site_set, count):
    assert len(M2M.sites(SiteSet(site_set))) == count


def test_an_adapter_is_as_large_as_its_matrix_or_square():
    assert {M2M.adapter(site, Span.ALL) == M2M.matrix(site) for site in M2M.sites()} == {True}
    assert {M2M.adapter(site, Span.D_MODEL) for site in M2M.sites()} == {(1024, 1024)}


def test_no_adapter_is_larger_than_its_matrix():
    narrow = ModelShape(1, 1, 16, 12, 50, 0)
    assert narrow.adapter(at("encoder.1.fc1"), Span.D_MODEL) == (12, 16)
    assert narrow.adapter(at("decoder.1.fc2"), Span.D_MODEL) == (16, 12)


def test_attention_may_be_wider_than_the_model():
    shape = SHAPES["madlad-400-3b"]
    assert {shape.matrix(site) for site in shape.sites(SiteSet.ATTENTION)} == {(2048, 1024)}
    assert {shape.matrix(site) for site in shape.sites(SiteSet.FEED_FORWARD)} == {(8192, 1024), (1024, 8192)}
    assert shape.adapter(at("decoder.1.c-q"), Span.D_MODEL) == (2048, 1024)


def test_a_decoder_may_have_feed_forward_blocks_of_a_width_of_its_own():
    shape = ModelShape(1, 1, 16, 32, 50, 0, decoder_ffn_dim=48)
    widths = {str(site): shape.matrix(site) for site in shape.sites(SiteSet.FEED_FORWARD)}
    assert (widths["encoder.1.fc1"], widths["encoder.1.fc2"]) == ((32, 16), (16, 32))
    assert (widths["decoder.1.fc1"], widths["decoder.1.fc2"]) == ((48, 16), (16, 48))
    one = RankMap({"en": 1})
    assert one.parameters(shape, SiteSet.FEED_FORWARD, Span.ALL) == 2 * (32 + 16) + 2 * (48 + 16)
    narrow = ModelShape(1, 1, 16, 32, 50, 0)
    assert estimate_memory(shape, 0, 0, 10).activations > estimate_memory(narrow, 0, 0, 10).activations
