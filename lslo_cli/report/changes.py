"""Two runs' translations side by side, sentence by sentence, as tab-separated values or HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lslo_cli.wording import counted

COLUMNS = ("direction", "group", "section", "row", "source", "reference", "first", "other", "first chrF++")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
article { border-top: 1px solid #8884; padding: .8rem 0 }
h2 { font-size: 1rem; margin: 0 } dt { color: #888; float: left; width: 9rem } dd { margin-left: 9.5rem }
@media (max-width: 40rem) { dt { float: none } dd { margin-left: 0 } }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd } }
"""


@dataclass(frozen=True)
class Change:
    """One sentence of the test text as two runs translate it; scores are sentence chrF++, 0 to 100."""

    direction: str
    group: str
    section: str
    row: int
    source: str
    reference: str
    first: str
    other: str
    first_score: float
    other_score: float

    @property
    def difference(self) -> float:
        """The first's score minus the other's."""
        return self.first_score - self.other_score


def changes_as_tsv(changes: Sequence[Change]) -> str:
    """A header and a line for each sentence."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow((*COLUMNS, "other chrF++", "difference"))
    for each in changes:
        texts = (each.source, each.reference, each.first, each.other)
        scores = (each.first_score, each.other_score, each.difference)
        place = (each.direction, each.group, each.section, each.row)
        writer.writerow((*place, *texts, *(f"{score:.2f}" for score in scores)))
    return text.getvalue()


def changes_as_html(changes: Sequence[Change], first: str, other: str) -> str:
    """A self-contained page with an article for each sentence."""
    title = escape(f"{first} and {other}, most changed first")
    articles = "\n".join(_article(each, first, other) for each in changes)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{title}</h1>\n<p>{counted(len(changes), 'sentence')}; scores are sentence chrF++.</p>\n"
        f"{articles}\n</html>\n"
    )


def _article(each: Change, first: str, other: str) -> str:
    rows = (
        ("source", each.source),
        ("reference", each.reference),
        (f"{first} ({each.first_score:.1f})", each.first),
        (f"{other} ({each.other_score:.1f})", each.other),
    )
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text) or '&nbsp;'}</dd>" for name, text in rows)
    place = " ".join(word for word in (each.direction, each.group, each.section) if word)
    return (
        f"<article><h2>{escape(place)}, row {each.row}: {each.difference:+.1f}</h2><dl>{body}</dl></article>"
    )
