"""Two runs side by side: what is shown, in what order, what is refused."""

import json

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.languages import LANGUAGES, groups
from lslo_cli.report.changes import changes_as_html, changes_as_tsv
from lslo_cli.search.metric import sentence_chrf
from lslo_cli.tasks.diff import diff

LANGS = [LANGUAGES[code] for code in ("en", "de", "wo")]
SCORES = dict.fromkeys(groups(LANGS), 20.0)


@pytest.fixture
def evaluated(written, tmp_path):
    """Evaluate a run on all directions of some languages."""

    def evaluated(run, codes=("en", "de", "wo"), **replaced):
        return written(tmp_path, languages=codes).evaluation(run, SCORES, **replaced)

    return evaluated


@pytest.fixture
def folder(tmp_path, evaluated):
    """Runs ``base`` and ``tuned`` that differ in two sentences of en-wo and none of de-en."""
    hypotheses = {
        "base": {"en-wo": ["dara", "nga def <b>", None, "same"], "de-en": ["good"]},
        "tuned": {"en-wo": ["nit ki", "nga def nga", None, "same"], "de-en": ["good"]},
    }
    for run, directions in hypotheses.items():
        for name, lines in directions.items():
            rows = [
                {
                    "section": "news",
                    "row": number,
                    "source": f"source\u2028{number}",
                    "reference": "nit ki ñëw" if number == 1 else "nga def",
                    "hypothesis": line,
                }
                for number, line in enumerate(lines, start=1)
            ]
            path = tmp_path / "runs" / run / "aligned" / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            path.write_text(text, encoding="utf-8")
        evaluated(run)
    return ExperimentFolder(tmp_path)


def test_sentences_that_differ_come_most_changed_first(folder):
    changes = diff(folder, "tuned", "base")
    assert [(change.direction, change.group, change.row) for change in changes] == [
        ("en-wo", "H2V", 1),
        ("en-wo", "H2V", 2),
    ]
    first = changes[0]
    assert (first.first, first.other) == ("nit ki", "dara")
    assert first.first_score == sentence_chrf("nit ki", "nit ki ñëw") > first.other_score
    assert first.difference == first.first_score - first.other_score


def test_the_other_way_round_the_differences_change_their_sign(folder):
    one, two = diff(folder, "tuned", "base"), diff(folder, "base", "tuned")
    assert [change.difference for change in one] == [-change.difference for change in two]


def test_directions_and_groups_choose(folder):
    assert diff(folder, "tuned", "base", ["de-en"]) == []
    assert len(diff(folder, "tuned", "base", ["H2V"])) == 2


@pytest.mark.parametrize("only", ["wo-en", "X2Y", "V2V"])
def test_a_direction_or_group_that_was_not_evaluated_is_refused(folder, only):
    with pytest.raises(UsageError, match=only):
        diff(folder, "tuned", "base", [only])


def test_a_run_without_translations_is_refused_with_the_command_that_makes_them(folder):
    with pytest.raises(InputError, match="no translations of run other") as refused:
        diff(folder, "tuned", "other")
    assert refused.value.hint.endswith("lslo evaluate --run other")


@pytest.mark.parametrize("text", ["{", "[]\n", '{"row": 1}\n'])
def test_damaged_texts_are_refused(folder, text):
    (folder.run("base").whole.aligned / "en-wo.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"en-wo\.jsonl is damaged"):
        diff(folder, "tuned", "base")


def test_runs_of_other_text_are_refused(folder):
    path = folder.run("base").whole.aligned / "en-wo.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"nga def"', '"naka"'), encoding="utf-8")
    with pytest.raises(InputError, match="evaluated on different text in en-wo"):
        diff(folder, "tuned", "base")


@pytest.mark.parametrize("place", ["aligned/en-wo.jsonl", "hypotheses/en-wo.txt", "hypotheses/de-wo.txt"])
def test_translations_that_were_changed_after_the_evaluation_are_refused(folder, place):
    assert len(diff(folder, "tuned", "base")) == 2
    path = folder.run("tuned").path / place
    text = path.read_text(encoding="utf-8")
    changed = text.replace('"nit ki"', '"nit ku"') if place.startswith("aligned") else f"{text}dara\n"
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(InputError, match="the translations in .* are not those that") as refused:
        diff(folder, "tuned", "base")
    assert "lslo evaluate" in refused.value.hint and refused.value.hint.endswith("--force")


def test_a_direction_that_is_not_shown_need_not_be_read(folder):
    (folder.run("base").whole.aligned / "en-wo.jsonl").write_text("damaged", encoding="utf-8")
    assert diff(folder, "tuned", "base", ["de-en"]) == []


def test_translations_of_an_earlier_training_are_refused(folder, evaluated, written):
    experiment = written(folder.path)
    digest = json.loads(experiment.training("tuned").read_text(encoding="utf-8"))["digest"]
    evaluated("tuned", inputs=[Input(role="training", path="training.json", digest=digest)])
    assert len(diff(folder, "tuned", "base")) == 2
    experiment.training("tuned", trainable_parameters=1)
    with pytest.raises(InputError, match="tuned/evaluation.json is stale: it was made from another training"):
        diff(folder, "tuned", "base")


def test_directions_of_an_earlier_evaluation_are_not_shown(folder, evaluated):
    evaluated("tuned", ("en", "wo"))
    with pytest.raises(UsageError, match="no direction or group 'de-en' was evaluated") as refused:
        diff(folder, "tuned", "base", ["de-en"])
    assert refused.value.hint == "directions: en-wo"


def test_texts_of_an_evaluation_that_was_not_finished_are_not_shown(folder):
    folder.run("base").evaluation.unlink()
    with pytest.raises(InputError, match="no translations of run base"):
        diff(folder, "tuned", "base")


def test_a_table_has_a_line_for_each_sentence_and_a_page_escapes_what_it_shows(folder):
    changes = diff(folder, "tuned", "base")
    lines = changes_as_tsv(changes).split("\n")
    assert len(lines) == 4 and lines[0].split("\t")[:4] == ["direction", "group", "section", "row"]
    page = changes_as_html(changes, "tuned", "base")
    assert "nga def &lt;b&gt;" in page and "<b>" not in page and page.count("<article>") == 2
