"""A report as values, independent of the output format."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.languages import AVERAGE
from lslo_cli.report.table import Table


@dataclass(frozen=True)
class Figure:
    """A figure as SVG, for light and for dark screens, with its title."""

    title: str
    light: str
    dark: str


@dataclass(frozen=True)
class DocumentSection:
    """The tables and figures of one study, after a summary in words and the facts common to all."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()
    summary: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportDocument:
    """A title, sections, and a glossary of their terms."""

    title: str
    sections: tuple[DocumentSection, ...]
    glossary: tuple[tuple[str, str], ...] = ()


GLOSSARY = (
    ("spBLEU", "BLEU over sentencepiece pieces, from 0 to 100. Compare only scores of the same signature."),
    ("chrF++", "F-score of n-grams of characters and words, from 0 to 100."),
    ("H, M, L, V", "Languages of high, medium, low and very low resources."),
    (
        "H2V",
        "Mean over directions from high-resource into very-low-resource languages; H2H and others alike.",
    ),
    (AVERAGE, "The mean over all directions."),
    ("2-2-8", "A run with adapters of rank 2 for high- and medium-resource languages and 8 for the rest."),
    (
        "gps0.9",
        "Gradual pruning of 0.9 of the adapters of high- and medium-resource languages, or of the classes "
        "that are named after it; B prunes one of their two matrices.",
    ),
    ("full, lora", "Fine-tuning of all parameters, and one LoRA for all languages."),
    ("base", "The base model before any fine-tuning."),
    ("WL", "Weight learning: whether the source or the target language selects the adapter of a layer."),
    ("#Params", "Trainable parameters; the paper counts every matrix as d x d."),
    ("Importance score", "Entries of B pruned beyond the target ratio: higher is a smaller subspace."),
    ("±", "Sample standard deviation over seeds."),
)
"""Terms in the order in which reports use them."""
