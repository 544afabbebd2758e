"""One small document in every format."""

import csv
import io
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lslo_cli.report.building import build
from lslo_cli.report.document import DocumentSection, Figure, ReportDocument
from lslo_cli.report.latex import document_as_latex, escaped, latex
from lslo_cli.report.markdown import document_as_markdown, markdown
from lslo_cli.report.page import document_as_html
from lslo_cli.report.reading import read_studies
from lslo_cli.report.table import Column, Difference, RowSource, SourceCell, Spread, Table, two_decimals
from lslo_cli.report.tidy import document_as_csv

DEMO = Path(__file__).parents[2] / "results" / "demo"
OURS = SourceCell(RowSource.OURS, "ours (a_b)")
TABLE = Table(
    title="Ranks & <ratios>: 100 % of a_b",
    columns=(
        Column("Section"),
        Column("Methods"),
        Column("Run", shown=False),
        Column("Source"),
        Column("H2H", two_decimals),
        Column("#Params"),
    ),
    rows=(
        ("Baselines", "Pretrain", "base", OURS, Spread(84.404, 0.126, 84.3, 84.5, 2), None),
        ("Baselines", "Pretrain", "base", SourceCell(RowSource.PAPER), 31.76, "15.3M"),
        ("Baselines", "Pretrain", "base", SourceCell(RowSource.DIFFERENCE), Difference(52.644), None),
        ("Only fc", "2;2;16", "fc-2-2-16", SourceCell(RowSource.NOT_RUN), None, None),
    ),
    names=4,
    number=4,
    notes=("Ours: tok:a|b.",),
)  # fmt: skip
PLAIN = Table("Plain", (Column("Module"), Column("r", two_decimals)), (("q", 0.5), ("k", -0.25)))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="200.5pt"></svg>'
DOCUMENT = ReportDocument(
    "Tables <of> two",
    (
        DocumentSection(
            "demo: world", (("Metric", "tok:a|b"),), (TABLE, PLAIN), (Figure("A map & more", SVG, SVG),)
        ),
        DocumentSection("other", (), (PLAIN,)),
    ),
)


def test_markdown_writes_a_repeated_name_once():
    assert markdown(TABLE) == "\n".join((
        "**Table 4. Ranks & &lt;ratios>: 100 % of a_b**",
        "",
        "| Section | Methods | Source | H2H | #Params |",
        "| --- | --- | --- | ---: | ---: |",
        "| Baselines | Pretrain | ours (a_b) | 84.40 ± 0.13 | - |",
        "|  |  | paper | 31.76 | 15.3M |",
        "|  |  | difference | +52.64 | - |",
        "| Only fc | 2;2;16 | not run | - | - |",
        "",
        "Ours: tok:a|b.",
        "",
    ))  # fmt: skip


def test_a_markdown_report_has_sections_with_facts_and_tables():
    text = document_as_markdown(DOCUMENT)
    assert text.startswith("# Tables &lt;of> two\n")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["demo: world", "other"]
    assert "- Metric: tok:a|b\n" in text
    assert text.count("**Plain**") == 2


def test_csv_has_a_line_for_each_value_unrounded_and_whose_it_is():
    rows = list(csv.DictReader(io.StringIO(document_as_csv(DOCUMENT))))
    ours, papers, params, difference = rows[:4]
    assert ours == {
        "study": "demo: world", "table": "4", "row": "Baselines / Pretrain", "run": "base", "source": "ours",
        "column": "H2H", "value": "84.404", "deviation": "0.126", "minimum": "84.3", "maximum": "84.5",
        "n": "2", "text": "84.40 ± 0.13",
    }  # fmt: skip
    assert (papers["source"], papers["value"], papers["n"]) == ("paper", "31.76", "")
    assert (params["column"], params["value"], params["text"]) == ("#Params", "", "15.3M")
    assert (difference["source"], difference["value"]) == ("difference", "52.644")
    assert [(row["study"], row["table"], row["row"], row["value"]) for row in rows[4:]] == [
        ("demo: world", "Plain", "q", "0.5"), ("demo: world", "Plain", "k", "-0.25"),
        ("other", "Plain", "q", "0.5"), ("other", "Plain", "k", "-0.25"),
    ]  # fmt: skip


def unescaped(text, character):
    return re.findall(rf"(?<!\\)(?:\\\\)*{re.escape(character)}", text)


def test_latex_is_balanced_and_has_one_cell_for_each_column():
    text = document_as_latex(DOCUMENT)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert len(unescaped(body, "{")) == len(unescaped(body, "}"))
    opened = re.findall(r"\\begin\{(.+?)\}", body)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(.+?)\}", body))
    assert body.count(r"\toprule") == body.count(r"\bottomrule") == 3
    lines = [line for line in latex(TABLE).splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", line)) for line in lines] == [3, 0, 3, 3, 3, 0, 3]


def test_latex_heads_blocks_of_rows_and_marks_the_papers():
    lines = latex(TABLE).splitlines()
    assert r"\multicolumn{4}{l}{\textbf{Baselines}} \\" in lines
    assert r"Pretrain & ours (a\_b) & 84.40 {\scriptsize $\pm$ 0.13} & -- \\" in lines
    assert r" & \textit{paper} & \textit{31.76} & \textit{15.3M} \\" in lines
    assert lines[lines.index(r"\multicolumn{4}{l}{\textbf{Only fc}} \\") - 1] == r"\midrule"
    assert (
        r"\caption{Ranks \& \textless{}ratios\textgreater{}: 100 \% of a\_b (table 4 of the paper). Ours:"
        in (" ".join(lines))
    )
    assert r"\label{tab:paper-4}" in lines


def test_latex_escapes_all_that_it_would_read_as_commands():
    assert escaped(r"a\b{c}$d&e#f%g_h~i^j") == (
        r"a\textbackslash{}b\{c\}\$d\&e\#f\%g\_h\textasciitilde{}i\textasciicircum{}j"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles(tmp_path):
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx}"
    text = rf"{packages}\begin{{document}}{document_as_latex(DOCUMENT)}\end{{document}}"
    (tmp_path / "report.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]


class Page(HTMLParser):
    """What a page holds, its tags checked for balance."""

    EMPTY = ("meta", "img", "source")

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.words, self.tables = [], [], [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "srcset", "href")]
        self.tables += tag == "table"
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_page_is_whole_and_asks_for_nothing_outside_itself():
    text = document_as_html(DOCUMENT)
    page = Page(text)
    assert page.tables == 3
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in page.addresses)
    assert not re.search(r"<script|@import|url\(|https?://", text)
    assert "default-src 'none'" in text
    assert "A map & more" in page.words and '<img width="321" alt="A map &amp; more"' in text


def test_links_of_a_page_lead_somewhere():
    text = document_as_html(DOCUMENT)
    targets = re.findall(r'href="#(.+?)"', text)
    assert sorted(targets) == sorted(re.findall(r'<section id="(.+?)"', text)) and len(targets) == 4


def test_a_page_names_a_row_once_over_all_its_sources():
    text = document_as_html(DOCUMENT)
    assert text.count('<th scope="row" class="row" rowspan="3">Pretrain</th>') == 1
    assert '<tr class="first ours">' in text and '<tr class="paper">' in text
    assert '<td data-label="H2H">84.40<span class="deviation">±&#8239;0.13</span></td>' in text
    assert ">+52.64</td>" in text and ">−0.25</td>" in text
    assert '<th scope="row" class="row">q</th>' in text


def test_a_page_escapes_what_html_would_read():
    text = document_as_html(DOCUMENT)
    assert "<title>Tables &lt;of&gt; two</title>" in text
    assert "Ranks &amp; &lt;ratios&gt;" in text


# A page as wide as a laptop, a phone or a sheet of paper


def widths(table, pixels):
    """The width of a table's columns beside its heads of blocks, for a font of so many pixels.

    A deviation stands below its value; names of columns break at spaces. Letters are taken as 0.6 em wide.
    """
    table = table.shown()
    found = []
    for number, column in enumerate(table.columns[max(0, table.names - 2) :], max(0, table.names - 2)):
        texts = [column.parts(row[number])[0] for row in table.rows if row[number] is not None]
        longest = max(map(len, [*texts, *column.name.split()]), default=0)
        found.append(0.6 * pixels * longest + 10)
    return found


@pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")
@pytest.mark.parametrize(("room", "pixels"), [(1300 - 2 * 52, 11.84), (1046, 9)])
def test_no_table_of_the_committed_study_is_wider_than_a_laptop_or_a_sheet(room, pixels):
    document = build(read_studies([DEMO]))
    for section in document.sections:
        for table in section.tables:
            assert sum(widths(table, pixels)) <= room, table.heading


@pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")
def test_a_page_has_a_summary_a_date_and_a_glossary_and_every_value_names_its_column():
    document = build(read_studies([DEMO]))
    page = document_as_html(document)
    (section,) = document.sections
    assert re.fullmatch(r"Of the paper's \d+ claims: (\D+ \(\d+\),? ?)+\.", section.summary[0])
    assert any(sentence.startswith("full against the base model") for sentence in section.summary)
    for sentence in section.summary:
        assert escape(sentence) in page
    assert re.search(r"<dt>Made</dt><dd>20\d\d-\d\d-\d\d", page)
    assert '<section id="glossary">' in page and '<a href="#glossary">' in page
    assert page.count("<td") == page.count("<td data-label=") > 1000
    assert 'data-label="H2V"' in page
    styles = page[page.index("<style>") : page.index("</style>")]
    assert "@page { size: A4 landscape" in styles and "content: attr(data-label)" in styles


@pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")
def test_the_committed_report_is_what_is_written_today(monkeypatch):
    monkeypatch.chdir(DEMO.parents[1])
    document = build(read_studies([Path("results/demo")]))
    assert document_as_markdown(document) == (DEMO / "report.md").read_text()
