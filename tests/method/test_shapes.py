import pytest

from lslo_cli.method.families import SHAPES
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Kind, SiteSet
from lslo_cli.method.span import Span

M2M = SHAPES["m2m-124-615m"]


@pytest.mark.parametrize(
    ("name", "parameters"), [("m2m-124-615m", 614_990_848), ("m2m-124-175m", 175_276_544)]
)
def test_the_parameters_of_the_published_models_are_counted_exactly(name, parameters):
    assert SHAPES[name].parameters == parameters


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
    narrow = ModelShape(1, 1, 16, 12, 50, 0)
    assert narrow.adapter(Kind.FC1, Span.D_MODEL) == (12, 16)
    assert narrow.adapter(Kind.FC2, Span.D_MODEL) == (16, 12)


def test_attention_may_be_wider_than_the_model():
    shape = SHAPES["madlad-400-3b"]
    assert {shape.matrix(kind) for kind in Kind if kind.is_attention} == {(2048, 1024)}
    assert (shape.matrix(Kind.FC1), shape.matrix(Kind.FC2)) == ((8192, 1024), (1024, 8192))
    assert shape.adapter(Kind.CROSS_Q, Span.D_MODEL) == (2048, 1024)
