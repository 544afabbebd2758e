"""Whether a study's scores are comparable with the paper's, and the differences if not."""

from __future__ import annotations

from lslo_cli.method.families import SHAPES
from lslo_cli.method.languages import LANGUAGE_SETS, directions
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.report.study import Study, distinct
from lslo_cli.report.table import millions
from lslo_cli.wording import counted

PAPERS_MODEL = "m2m-124-615m"
PAPERS_TEST = ("devtest", 1012)
PAPERS_TOKENIZER = "tok:flores101"
PAPERS_BEAM = 5
PAPERS_OWN = "M2M-124 615M, FLORES-101 devtest, spBLEU tok:flores101"


def base_differences(study: Study, language_set: str) -> list[str]:
    """The differences of base model and languages from the paper's, each in a few words."""
    found = []
    if study.model.shape != SHAPES[PAPERS_MODEL]:
        found.append(f"base model {study.model.name} ({millions(study.model.parameters)} parameters)")
    ours, papers = {language.code for language in study.languages}, set(LANGUAGE_SETS[language_set])
    if ours != papers:
        others = f"{counted(len(ours - papers), 'other language')} than {language_set}"
        found.append(others if ours - papers else f"{len(ours)} of {language_set}'s {len(papers)} languages")
    return found


def score_differences(study: Study, language_set: str) -> list[str]:
    """The differences of base, languages, test text, metric and search from the paper's, if any."""
    found = base_differences(study, language_set)
    texts = {(text.split, text.rows) for artifact in study.evaluations for text in artifact.data}
    if texts - {PAPERS_TEST}:
        found.append(f"test text {tested_text(study)}")
    tokenizers = [run.result.metric(study.metric).signature.split("|") for run in study.evaluations]
    if study.metric != SPBLEU or any(PAPERS_TOKENIZER not in parts for parts in tokenizers):
        found.append(f"metric {signature(study)}")
    beams = {run.result.search.get("beam") for run in study.evaluations}
    if beams - {PAPERS_BEAM}:
        found.append(f"beam {distinct(beams)}")
    wanted = len(directions(study.languages))
    if any(len(run.result.directions) != wanted for run in study.evaluations):
        found.append(f"fewer than all {wanted} directions")
    return found


def signature(study: Study) -> str:
    """The metric's signature, empty without an evaluation."""
    return distinct(run.result.metric(study.metric).signature for run in study.evaluations)


def tested_text(study: Study) -> str:
    """The translated text, and its number of rows."""
    return distinct(
        f"{text.path} {text.split}, {text.rows:,} rows" for run in study.evaluations for text in run.data
    )
