import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.sites import Kind, Layer, Site, SiteSet, Stack, layers, sites


def test_layers_count_from_1_and_the_encoder_comes_first():
    assert [str(layer) for layer in layers(2, 1)] == ["encoder.1", "encoder.2", "decoder.1"]


def test_an_encoder_layer_has_five_sites_and_a_decoder_layer_eight():
    names = [str(site) for site in sites(1, 1)]
    assert names[:5] == ["encoder.1.q", "encoder.1.k", "encoder.1.v", "encoder.1.fc1", "encoder.1.fc2"]
    assert names[5:] == [f"decoder.1.{kind}" for kind in ("q", "k", "v", "c-q", "c-k", "c-v", "fc1", "fc2")]


def test_attention_and_feed_forward_sites_make_up_all():
    attention = set(sites(3, 2, SiteSet.ATTENTION))
    feed_forward = set(sites(3, 2, SiteSet.FEED_FORWARD))
    assert attention | feed_forward == set(sites(3, 2))
    assert not attention & feed_forward


@pytest.mark.parametrize("site", sites(2, 3), ids=str)
def test_a_site_reads_back_what_it_writes(site):
    assert Site.parse(str(site)) == site


def test_the_parts_of_a_site_are_where_they_were_written():
    assert Site.parse("decoder.3.c-q") == Site(Layer(Stack.DECODER, 3), Kind.CROSS_Q)


@pytest.mark.parametrize(
    "text", ["", "encoder", "encoder.", "encoder.0", "encoder.-1", "middle.1", "encoder.1.q"]
)
def test_what_is_no_layer_is_refused(text):
    with pytest.raises(UsageError, match=f"'{text}' is not a layer"):
        Layer.parse(text)


@pytest.mark.parametrize("text", ["", "q", "encoder.1", "encoder.1.o", "decoder.3.c_q"])
def test_what_is_no_site_is_refused(text):
    with pytest.raises(UsageError, match=f"'{text}' is not a site"):
        Site.parse(text)


def test_the_encoder_has_no_cross_attention():
    with pytest.raises(UsageError, match="no cross-attention"):
        Site.parse("encoder.1.c-q")
