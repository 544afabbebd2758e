import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pytest

from lslo_cli import plots
from lslo_cli.errors import InputError
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import LANGUAGES

LANGS = [LANGUAGES[code] for code in ("wo", "en", "fr", "zh", "sd")]


@pytest.mark.parametrize("width", [plots.COLUMN_WIDTH, plots.PAGE_WIDTH])
def test_figures_have_the_width_asked_for(width, made):
    score = made.evaluated("base", {("en", "wo"): 5.0})
    for figure in (
        plots.weights([made.strategy()], width=width),
        plots.heatmap([made.estimate()], LANGS, width=width),
        plots.heatmap([made.estimate()], LANGS, by_layer=True, width=width),
        plots.matrices([made.estimate(Pool.LANGUAGE)], LANGS, width=width),
        plots.epochs([made.trained()], width=width),
        plots.schedule([made.trained()], width=width),
        plots.directions([score], [score], width=width),
        plots.pareto([made.evaluated("2-2-8", {("en", "wo"): 5.0})], [made.trained()], width=width),
    ):
        assert figure.get_figwidth() == width


@pytest.mark.parametrize("style", plots.Style)
def test_equal_figures_give_equal_bytes(tmp_path, made, style):
    everything = tuple(plots.FigureFormat)
    for folder in ("one", "other"):
        figure = plots.heatmap([made.estimate()], LANGS, style=style)
        paths = plots.save(figure, tmp_path / folder, "heatmap", formats=everything, style=style)
    assert [path.name for path in paths] == ["heatmap.png", "heatmap.pdf", "heatmap.svg"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(p.name for p in paths)
    for path in paths:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
    assert b"Date" not in paths[1].read_bytes()
    assert b"date" not in paths[2].read_bytes()


def test_a_pdf_embeds_its_fonts_as_truetype(tmp_path, made):
    (pdf,) = plots.save(
        plots.weights([made.strategy()]), tmp_path, "weights", formats=[plots.FigureFormat.PDF]
    )
    content = pdf.read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


def test_an_svg_for_a_page_is_one_element_that_needs_no_font(made):
    drawn = plots.svg(plots.weights([made.strategy()]))
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawn.startswith("<svg")
    assert not root.findall(".//{http://www.w3.org/2000/svg}text")
    assert drawn == plots.svg(plots.weights([made.strategy()]))


@pytest.mark.parametrize(("style", "pixels"), [("paper", 990), ("screen", 660), ("dark", 660)])
def test_a_png_is_finer_for_paper(tmp_path, style, pixels, made):
    style = plots.Style(style)
    png, _ = plots.save(
        plots.weights([made.strategy()], width=3.3, style=style), tmp_path, "weights", style=style
    )
    assert int.from_bytes(png.read_bytes()[16:20]) == pixels


def test_save_into_a_place_that_is_a_file_is_an_input_error(tmp_path, made):
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        plots.save(plots.weights([made.strategy()]), tmp_path / "figures", "weights")


def test_drawing_leaves_no_setting_changed_and_no_open_figure(made):
    before = dict(matplotlib.rcParams)
    plots.heatmap([made.estimate()], LANGS)
    plots.directions([made.evaluated("a", {("en", "wo"): 5.0})], [made.evaluated("b", {("en", "wo"): 5.0})])
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_plots_load_neither_torch_nor_transformers():
    script = (
        "import sys, lslo_cli.plots; print(sorted({'torch', 'transformers', 'typer'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
