"""Machine translations of a task's texts: made, recorded, and read in place of published ones."""

import json
from dataclasses import replace
from functools import partial

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, ignore
from lslo_cli.flare import tasks, translating
from lslo_cli.flare.examples import Example, Question
from lslo_cli.flare.inputs import pairs_of
from lslo_cli.flare.plan import translation_plan
from lslo_cli.flare.results import TextOrigin
from lslo_cli.flare.task_files import read_translated, translated_file, write_questions, write_translated
from lslo_cli.flare.tasks import TASKS
from lslo_cli.flare.translated_examples import marked, translated_questions, unmarked
from lslo_cli.flare.translating import translate_task
from lslo_cli.flare.translations import record_of
from lslo_cli.flare.tydiqa import read_tydiqa
from lslo_cli.recipe import resolve, with_values
from lslo_cli.reproduce.flare_making import check_flare
from lslo_cli.reproduce.job import FlareJob, FlareStage
from lslo_cli.reproduce.making import is_current, make
from lslo_cli.tasks import translate_file
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.translate import open_translator

LABELS = ("negative", "neutral", "positive")


@pytest.fixture
def nusax(tmp_path):
    """NusaX's files in two languages, whose texts are words of the built-in world."""
    for language in ("english", "javanese"):
        for split in ("train", "valid", "test"):
            path = tmp_path / "nusax" / language / f"{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = "".join(f'{n},"taro, {language}",{LABELS[n]}\n' for n in range(3))
            path.write_text(f"id,text,label\n{rows}", encoding="utf-8")
    return tmp_path / "nusax"


@pytest.fixture
def experiment(nusax, tmp_path, tiny):
    def made(**changes):
        settings = {"flare.task": "nusax", "flare.data": str(nusax), "flare.languages": ("jv",)}
        settings |= {"flare.translations": str(tmp_path / "out"), "model.name": "world", "evaluate.beam": 1}
        settings |= {"flare.translator_reads_as": "qso", "run.device": "cpu", "name": "t"}
        recipe = resolve(None, {**settings, **changes})
        return Experiment(recipe, ExperimentFolder(tmp_path / "results"), "lslo flare translate")

    return made


def test_the_worlds_tests_are_translated_into_the_pivot_once(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "task_rows", lambda split, code: [("taro", 0), ("lopaba", 2)])
    made = experiment(**{"flare.task": "world", "flare.languages": ("qsi",), "flare.translated": ("test",)})
    (written,) = translate_task(made)
    result = written.artifact.result
    assert (result.split, result.rows, result.lost) == ("test", 2, 0)
    assert result.languages == {"qsi": "qsi", "en": "qta"}
    assert written.artifact.model.name == "world" and written.artifact.data[0].split == "qsi/test"
    path = tmp_path / "out" / "qsi-en" / "test.csv"
    rows = read_translated(path, TASKS["world"].labels)
    assert [(row.id, row.label) for row in rows] == [("1", 0), ("2", 2)] and all(row.text for row in rows)
    (again,) = translate_task(made)
    assert again.up_to_date
    path.write_text("id,text,pair,label\n", encoding="utf-8")
    (anew,) = translate_task(made)
    assert not anew.up_to_date and read_translated(path, TASKS["world"].labels) == rows


def test_only_the_rows_to_train_on_are_translated_and_more_when_more_are_asked_for(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr(tasks, "task_rows", lambda split, code: [("taro", 0), ("lopaba", 2)] * 6)
    path = tmp_path / "out" / "en-qsi" / "train.csv"

    def translated(rows):
        made = experiment(
            **{"flare.task": "world", "flare.languages": ("qsi",), "flare.translated": ("train",)},
            **({"flare.train_rows": rows} if rows else {}),
        )
        train, dev = translate_task(made)
        assert dev.artifact.result.rows == 12
        pairs = pairs_of(made.recipe.flare, "qsi", "train")
        assert [row.id for row in pairs.target] == [str(n) for n in range(1, (rows or 12) + 1)]
        return made.recipe.flare, train

    few, train = translated(11)
    assert (train.up_to_date, len(read_translated(path, TASKS["world"].labels))) == (False, 11)
    assert translated(2)[1].up_to_date
    for asked, said in ((12, "12"), (None, "not set")):
        with pytest.raises(InputError, match=f"the first 11 rows, and flare.train_rows is {said}"):
            pairs_of(few.model_copy(update={"train_rows": asked}), "qsi", "train")
    _, train = translated(None)
    assert (train.up_to_date, len(read_translated(path, TASKS["world"].labels))) == (False, 12)
    assert translated(11)[1].up_to_date
    record_of(path).unlink()  # a file from elsewhere
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:4]), encoding="utf-8")
    assert len(pairs_of(few.model_copy(update={"train_rows": 3}), "qsi", "train").target) == 3
    with pytest.raises(InputError, match=r"different rows \(11 and 3"):
        pairs_of(few, "qsi", "train")


def test_a_translation_is_read_only_as_it_was_made_and_from_the_text_of_today(
    experiment, tmp_path, monkeypatch
):
    rows = [("taro", 0), ("lopaba", 2)]
    monkeypatch.setattr(tasks, "task_rows", lambda split, code: rows)
    made = experiment(**{"flare.task": "world", "flare.languages": ("qsi",), "flare.translated": ("test",)})
    (written,) = translate_task(made)
    path = tmp_path / "out" / "qsi-en" / "test.csv"

    def read():
        return TASKS["world"].pairs(tmp_path, "qsi", "test", tmp_path / "out")

    record = read().translation
    assert (record.path, record.digest) == (written.path, written.artifact.digest)
    assert record.origin == TextOrigin(model="world", run="base", beam=1, rows=2, lost=0)
    rows[1] = ("lopaba lopaba", 2)
    with pytest.raises(InputError, match=r"test\.csv is stale: it was made from qsi/test") as caught:
        read()
    assert "lslo flare translate" in caught.value.hint
    rows[1] = ("lopaba", 2)
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(InputError, match=r"test\.csv was changed: its sha256"):
        read()
    written.path.write_text("{}")
    with pytest.raises(InputError, match="no lslo artifact"):
        read()
    list(translate_task(made))
    assert read().translation == record
    written.path.unlink()
    assert read().translation is None  # translated elsewhere


@pytest.fixture
def of_world(experiment, monkeypatch):
    """The tests of two languages of the built-in world, of two rows each, translated by runs by name."""
    monkeypatch.setattr(tasks, "task_rows", lambda split, code: [("taro", 0), ("lopaba", 2)])
    monkeypatch.setattr(
        translating, "open_translator", lambda made, run, on_event: replace(open_translator(made), run=run)
    )
    languages = {"flare.languages": ("qsi", "qhe"), "flare.translated": ("test",)}
    return experiment(**{"flare.task": "world", **languages})


def test_a_run_that_was_trained_again_under_its_name_translates_again(of_world, monkeypatch):
    def translated(weights):
        monkeypatch.setattr(
            translating,
            "open_translator",
            lambda made, run, on_event: replace(open_translator(made), run=run, weights=weights),
        )
        (written,) = translate_task(of_world, "mine", languages=["qsi"])
        return written

    assert not translated("a" * 64).up_to_date
    assert translated("a" * 64).up_to_date
    again = translated("b" * 64)
    assert not again.up_to_date and again.artifact.result.weights == "b" * 64


def test_an_interrupted_translation_goes_on_after_its_finished_lines(of_world, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tasks, "task_rows", lambda split, code: [("taro", 0), ("lopaba", 1), ("lopaba taro", 2)]
    )
    monkeypatch.setattr(translate_file.LoggedLines.__init__, "__defaults__", (None, 1, ignore))  # by line
    found, asked, notes = translate_file.translate_chunks, [], []

    def chunks(*arguments, **settings):
        for number, chunk in enumerate(found(*arguments, **settings), 1):
            asked.append(chunk[0][0].text)
            if number == 3:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr(translate_file, "translate_chunks", chunks)
    with pytest.raises(KeyboardInterrupt):
        list(translate_task(of_world, languages=["qsi"]))
    path = tmp_path / "out" / "qsi-en" / "test.csv"
    assert [file.name for file in path.parent.iterdir()] == [".test.csv.partial"]
    asked.clear()
    (written,) = translate_task(of_world, on_event=notes.append, languages=["qsi"])
    assert asked == ["lopaba taro"] and Noted(f"{path}: 2 of 3 lines already translated") in notes
    monkeypatch.setattr(translate_file, "translate_chunks", found)
    made = path.read_bytes()
    path.unlink()
    list(translate_task(of_world, languages=["qsi"]))
    assert path.read_bytes() == made
    assert sorted(file.name for file in path.parent.iterdir()) == ["test.csv", written.path.name]


def parts(made):
    return [
        FlareJob(f"t/{language}/translate", FlareStage.TRANSLATE, made, language=language)
        for language in made.recipe.flare.languages
    ]


def test_jobs_keep_what_a_run_translated_and_translate_the_rest_with_it(of_world):
    first, second = parts(of_world)
    (written,) = translate_task(of_world, "out/ex/runs/e1", languages=["qsi"])
    before = written.path.read_bytes()
    assert is_current(first) and not is_current(second)
    assert [make(job, ignore) for job in (first, second)] == [False, True]
    assert is_current(second) and written.path.read_bytes() == before


def test_jobs_refuse_translations_by_two_runs(of_world):
    list(translate_task(of_world, languages=["qsi"]))
    list(translate_task(of_world, "e1", languages=["qhe"]))
    for asked in (is_current, partial(make, on_event=ignore)):
        with pytest.raises(InputError, match=r"qsi-en/test\.csv .* by run base, and .*qhe-en.* by run e1"):
            asked(parts(of_world)[0])


def test_a_dry_run_names_the_files_that_are_missing_and_writes_nothing(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "task_rows", lambda split, code: [("taro", 0), ("lopaba", 2)])
    made = experiment(**{"flare.task": "world", "flare.languages": ("qsi",), "flare.translated": ("test",)})
    plan = translation_plan(made, "base")
    path = tmp_path / "out" / "qsi-en" / "test.csv"
    assert plan.files == (path,) and not (tmp_path / "out").exists()
    assert dict(plan.facts)["test qsi-en"] == "2 rows, as qsi to qta"
    list(translate_task(made))
    again = translation_plan(made, "base")
    assert again.files == () and dict(again.facts)["test qsi-en"].endswith(", up to date")


def test_a_dry_run_fails_where_the_translation_would(experiment, nusax):
    with pytest.raises(UsageError, match="'en' is not among the languages"):
        translation_plan(experiment(**{"flare.translated": ("test",)}), "base")
    (nusax / "javanese" / "test.csv").unlink()
    with pytest.raises(InputError, match=r"javanese/test\.csv"):
        translation_plan(experiment(**{"flare.translated": ("test",)}), "base")


def test_translations_stand_in_for_the_target_in_training_and_for_the_source_in_a_test(nusax, tmp_path):
    rows = [Example(str(n), f"moved {n}", n) for n in range(3)]
    for direction in (("en", "jv", "train"), ("jv", "en", "test")):
        write_translated(translated_file(tmp_path, *direction, questions=False), rows, LABELS)
    train, test = (TASKS["nusax"].pairs(nusax, "jv", split, tmp_path) for split in ("train", "test"))
    assert [row.text for row in train.target] == [row.text for row in test.source]
    assert train.source[0].text == "taro, english" and test.target[0].text == "taro, javanese"
    assert train.target[1].text == "moved 1"
    english = TASKS["nusax"].pairs(nusax, "en", "train", tmp_path)
    assert english.source == english.target
    with pytest.raises(InputError, match="no translation at") as caught:
        TASKS["nusax"].pairs(nusax, "jv", "dev", tmp_path)
    assert "lslo flare translate" in caught.value.hint


def test_a_language_that_the_translator_does_not_know_is_taken_for_the_nearest(experiment):
    notes = []
    task = experiment(**{"flare.translated": ("test",)})
    with pytest.raises(UsageError, match="'en' is not among the languages"):
        list(translate_task(task, on_event=notes.append))
    assert "does not know jv: translated as qso" in " ".join(e.text for e in notes if isinstance(e, Noted))


@pytest.mark.parametrize(
    ("later", "said"), [("zz", "has no language 'zz'"), ("qta", "nothing to translate from qta into qta")]
)
def test_a_later_language_that_cannot_be_translated_is_refused_before_the_first(
    of_world, tmp_path, later, said
):
    made = replace(of_world, recipe=with_values(of_world.recipe, {"flare.languages": ("qsi", later)}))
    for refused in (lambda: list(translate_task(made)), partial(check_flare, parts(made))):
        with pytest.raises((InputError, UsageError), match=said):
            refused()
    assert not (tmp_path / "out").exists()


QUESTION = Question("finnish-1-0", "Who?", 'She said "no", Aino did.', "Aino", 15)


def test_an_answer_is_carried_over_between_marks():
    assert marked(QUESTION) == 'She said no, "Aino" did.'
    assert unmarked('Sanoi ei, "Aino" niin.') == ("Sanoi ei, Aino niin.", "Aino", 10)
    assert unmarked("Sanoi ei, “ Aino ” niin.") == ("Sanoi ei,  Aino  niin.", "Aino", 11)
    for text, answer, start in (unmarked("« Aino » did"), unmarked('"Aino"')):
        assert text[start:].startswith(answer)
    assert unmarked('She "did') is unmarked("She did") is unmarked('"" did') is None


def test_questions_that_lose_their_marks_are_dropped(tmp_path):
    second = Question("finnish-2-0", "Who?", "Aino", "Aino", 0)
    lossy = {'She said no, "Aino" did.': 'Sanoi ei, "Aino".', '"Aino"': "Aino", "Who?": "Kuka?"}
    kept = translated_questions([QUESTION, second], lambda lines: [lossy[line] for line in lines])
    assert kept == [Question("finnish-1-0", "Kuka?", "Sanoi ei, Aino.", "Aino", 10)]
    path = translated_file(tmp_path, "fi", "en", "test", questions=True)
    write_questions(path, kept)
    assert path.name == "tydiqa.translate.test.fi-en.json" and read_tydiqa(path) == kept
    document = {"data": [{"paragraphs": [
        {"context": q.pair, "qas": [{"id": q.id, "question": q.text,
         "answers": [{"text": q.answer, "answer_start": q.start}]}]} for q in (QUESTION, second)
    ]}]}  # fmt: skip
    (tmp_path / "tydiqa-goldp-v1.1-dev.json").write_text(json.dumps(document), encoding="utf-8")
    pairs = TASKS["tydiqa"].pairs(tmp_path, "fi", "test", tmp_path)
    assert (len(pairs.target), pairs.left_out) == (1, 1)
