"""Files of translations: as many lines as the text has, the same bytes after an interrupt."""

from __future__ import annotations

import gzip
import json
import os
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from lslo_cli.data.tabular import read_table
from lslo_cli.data.to_translate import Line
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced
from lslo_cli.recipe import with_values
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks import translate_file as translate_file_module
from lslo_cli.tasks.translate import Search, Translation, fingerprint
from lslo_cli.tasks.translate_file import Form, TranslationJob, checked, stream, translate_files

TEXT = ["taro miro", "", "miro", "taro", "", "miro taro", "taro taro", "miro"]


@pytest.fixture(scope="module")
def translator(tiny):
    from lslo_cli import load_base

    return load_base(str(tiny.base), {"run.device": "cpu", "evaluate.beam": 3, "evaluate.max_new_tokens": 8})


def lines(texts=TEXT, targets=("qki", "qso")):
    return [Line(text, "qta", targets) for text in texts]


def translate_file(translator, texts, path, form, *settings):
    translate_files(translator, [TranslationJob(texts, path, form)], *settings)


def test_an_interrupted_file_goes_on_to_the_same_bytes(translator, tmp_path, heard):
    whole, parts = tmp_path / "whole.tsv", tmp_path / "parts.tsv"
    translate_file(translator, lines(), whole, Form(), Search(), 3)
    assert whole.read_text(encoding="utf-8").count("\n") == len(TEXT)
    seen = []

    def interrupt(event):
        seen.append(event)
        if len([event for event in seen if isinstance(event, Advanced)]) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_file(translator, lines(), parts, Form(), Search(), 3, interrupt)
    assert not parts.exists()
    translate_file(translator, lines(), parts, Form(), Search(), 3, heard)
    assert parts.read_bytes() == whole.read_bytes()
    assert heard.notes[0] == f"{parts}: 3 of 8 lines already translated"
    assert {path.name for path in tmp_path.iterdir()} == {"whole.tsv", "parts.tsv"}


def test_a_pipe_gets_the_text_and_no_log_lies_beside_it(translator, tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    translate_file(translator, lines(), pipe, Form(), Search(), 3)
    reader.join()
    expected = stream(translator, lines(), Form(), Search(), 3)
    assert heard == ["".join(f"{line}\n" for line in expected)] and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize(
    ("texts", "search"), [([*TEXT[:-1], "taro"], Search()), (TEXT, Search(nbest=2)), (TEXT, Search(beam=1))]
)
def test_what_was_translated_of_another_text_or_by_another_search_is_not_used(
    translator, tmp_path, heard, texts, search
):
    def interrupt(event):
        if (
            isinstance(event, Advanced)
            and event.completed
            and (tmp_path / ".out.partial").stat().st_size > 99
        ):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_file(translator, lines(), tmp_path / "out", Form(), Search(), 3, interrupt)
    translate_file(translator, lines(texts), tmp_path / "out", Form(), search, 3, heard)
    assert not [note for note in heard.notes if "already translated" in note]


def test_a_log_is_of_the_models_settings_as_of_its_weights(translator):
    base = translator.setup.base
    scaled = base.identity.model_copy(update={"settings": {**base.identity.settings, "scale_embedding": 2}})
    setup = replace(translator.setup, base=replace(base, identity=scaled))
    both = {fingerprint(each, Search(), 3) for each in (translator, replace(translator, setup=setup))}
    assert len(both) == 2


def test_objects_have_the_best_translations_with_their_scores(translator):
    rows = [json.loads(row) for row in stream(translator, lines(), Form(as_json=True), Search(nbest=3))]
    assert [row["source"] for row in rows] == TEXT and {row["src"] for row in rows} == {"qta"}
    assert rows[1]["translations"] == {
        "qki": [{"text": "", "score": 0.0}],
        "qso": [{"text": "", "score": 0.0}],
    }
    best = rows[0]["translations"]["qki"]
    assert len(best) == 3 and len({each["text"] for each in best}) > 1
    assert [each["score"] for each in best] == sorted((each["score"] for each in best), reverse=True)
    plain = list(stream(translator, lines(), Form(), Search()))
    assert plain[0].split("\t") == [row[0]["text"] for row in rows[0]["translations"].values()]


def test_lines_may_be_of_different_languages_and_tables_keep_their_header(translator):
    mixed = [Line("taro", "qta", ("qki",)), Line("taro", "qso", ("qta",)), Line("", "qki", ("qso",))]
    header, *found = stream(translator, mixed, Form(header=("translation",)), Search(), buffer=2)
    assert header == "translation" and len(found) == 3 and found[2] == ""
    assert found[0] == next(tasks.translate(translator, ["taro"], src="qta", tgt="qki"))[0]
    assert found[1] == next(tasks.translate(translator, ["taro"], src="qso", tgt="qta"))[0]


def test_a_prefix_begins_every_line_that_is_not_empty(translator, sources=("taro", "")):
    found = list(stream(translator, lines(sources, ("qki",)), Form(), Search(prefix="miro")))
    assert found[0].startswith("miro") and found[1] == ""
    with pytest.raises(UsageError, match="the prefix leaves no room"):
        list(stream(translator, lines(sources), Form(), Search(prefix="miro " * 9)))
    for wrong in (None, "\ud800"):
        with pytest.raises(UsageError, match="prefix 1 is .*, which is no text"):
            list(stream(translator, lines(sources), Form(), Search(prefix=wrong)))
    roomy = replace(
        translator,
        setup=replace(
            translator.setup, recipe=with_values(translator.setup.recipe, {"evaluate.max_new_tokens": 4000})
        ),
    )
    with pytest.raises(UsageError, match="no room for a translation of 1,023 tokens") as error:
        list(stream(roomy, lines(sources), Form(), Search(prefix="miro " * 1500)))
    assert "max_new_tokens" not in error.value.hint


def test_half_a_character_is_no_text(translator):
    with pytest.raises(UsageError, match="line 2 is .*ud800.*, which is no text"):
        list(tasks.translate(translator, ["taro", "\ud800"], src="qta", tgt="qki"))


def test_a_language_that_is_not_there_stops_a_file_before_it_begins(translator, tmp_path):
    wanted = [*lines(), Line("taro", "qta", ("xx",))]
    with pytest.raises(UsageError, match=f"^row {len(wanted)}: 'xx' is not among the languages"):
        translate_file(translator, wanted, tmp_path / "out", Form(), Search(), 1)
    with pytest.raises(UsageError, match="^'xx' is not among the languages"):
        checked(translator, lines(targets=("xx",)), Form())
    assert list(tmp_path.iterdir()) == []


# Tables


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.txt", None])
def test_a_file_that_is_called_csv_is_one(translator, tmp_path, monkeypatch, name, source):
    """Whatever the model says, lslo and pandas read it in the columns and rows that it was written in."""
    said = {"qki": ['a "b", c', "", "d;e;f", "' g"], "qso": ["", "h\ti", '"', "j,k"]}
    found = [[[Translation(text, 0.0)] for text in row] for row in zip(*said.values(), strict=True)]
    texts = lines(["taro"] * 4)
    monkeypatch.setattr(
        "lslo_cli.tasks.translate_file.translate_chunks",
        lambda *arguments, **rest: [list(zip(texts, found, strict=True))],
    )
    path = tmp_path / name
    form = Form.of(source and Path(source), path, as_json=False, targets=["qki", "qso"])
    translate_file(translator, texts, path, form, Search())
    assert read_table(path, list(said)) == {"qki": said["qki"], "qso": ["", "h i", '"', "j,k"]}
    frame = pandas.read_csv(path, keep_default_na=False)
    assert list(frame) == ["qki", "qso"] and list(frame["qki"]) == said["qki"]


def test_a_table_of_one_column_keeps_its_empty_rows(translator, tmp_path):
    path = tmp_path / "out.csv"
    form = Form.of(Path("in.csv"), path, as_json=False, targets=["qki"])
    translate_file(translator, lines(targets=("qki",)), path, form, Search())
    (found,) = read_table(path, ["qki"]).values()
    assert [not text for text in found] == [not text for text in TEXT]


@pytest.mark.parametrize(
    ("source", "target", "as_json", "form"),
    [
        ("a.txt", "b.txt", False, Form()),
        (None, None, False, Form()),
        ("a.txt", "b.tsv", False, Form()),
        ("a.tsv.gz", "b.tsv", False, Form(header=("qki",))),
        ("a.csv", None, False, Form(header=("qki",))),
        ("a.jsonl", None, False, Form(as_json=True)),
        ("a.json", "b.txt", False, Form(as_json=True)),
        ("a.csv", "b.jsonl", False, Form(as_json=True)),
        ("a.jsonl", "b.tsv", False, Form(header=("qki",))),
        ("a.csv", "b.txt", True, Form(as_json=True)),
    ],
)
def test_the_form_is_that_of_the_files_names(source, target, as_json, form):
    paths = (name and Path(name) for name in (source, target))
    assert Form.of(*paths, as_json=as_json, targets=["qki"]) == form


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.tsv"])
def test_objects_are_not_written_to_a_table(name):
    with pytest.raises(UsageError, match=f"{name} is a table.*--json") as error:
        Form.of(Path("in.csv"), Path(name), as_json=True, targets=["qki"])
    assert ".jsonl" in error.value.hint


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.txt"])
def test_a_table_has_the_same_columns_in_every_row(translator, tmp_path, name):
    mixed = [Line("taro", "qta", ("qki",)), Line("taro", "qta", ("qki", "qso"))]
    path = tmp_path / name
    form = Form.of(Path("in.tsv"), path, as_json=False, targets=[])
    told = "row 2 is to be translated into 2 languages, and a table has 1 column in every row"
    with pytest.raises(UsageError, match=told) as error:
        translate_file(translator, mixed, path, form, Search())
    assert ".jsonl" in error.value.hint and list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=told):
        checked(translator, iter(mixed), form)


def test_a_file_that_is_called_gz_is_packed_to_the_same_bytes(translator, tmp_path):
    for name in ("a.txt", "a.txt.gz", "b.txt.gz"):
        translate_file(translator, lines(), tmp_path / name, Form(), Search())
    plain, packed, again = ((tmp_path / name).read_bytes() for name in ("a.txt", "a.txt.gz", "b.txt.gz"))
    assert gzip.decompress(packed) == plain and packed == again


def test_an_interrupted_folder_goes_on_after_its_finished_files(translator, tmp_path, monkeypatch):
    real, translated = translate_file_module.translate_chunks, []

    def counting(translator, lines, *args, skip=0, **settings):
        for chunk in real(translator, lines, *args, skip=skip, **settings):
            translated.append(len(chunk))
            yield chunk
            if len(translated) == 4:
                raise KeyboardInterrupt

    def jobs(folder, first=TEXT):
        return [
            TranslationJob(lines(first), folder / "a", Form()),
            TranslationJob(lines(), folder / "b", Form()),
        ]

    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    translate_files(translator, jobs(tmp_path / "whole"), Search(), 3)
    monkeypatch.setattr(translate_file_module, "translate_chunks", counting)
    with pytest.raises(KeyboardInterrupt):
        translate_files(translator, jobs(tmp_path / "parts"), Search(), 3)
    assert sum(translated) == len(TEXT) + 3
    translate_files(translator, jobs(tmp_path / "parts"), Search(), 3)
    assert sum(translated) == 2 * len(TEXT)
    both = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "parts")
    ]
    assert both[0] == both[1]  # no log either
    translate_files(translator, jobs(tmp_path / "parts", TEXT[:3]), Search(), 3)
    assert (tmp_path / "parts" / "a").read_text(encoding="utf-8").count("\n") == 3


def test_files_are_held_one_at_a_time(translator, tmp_path, monkeypatch):
    class File:
        def __iter__(self):
            for line in lines():
                read.append(weakref.ref(line))
                yield line

    def counting(*args, **settings):
        held.append(sum(line() is not None for line in read))
        yield from real(*args, **settings)

    read, held, real = [], [], translate_file_module.translate_chunks
    monkeypatch.setattr(translate_file_module, "translate_chunks", counting)
    jobs = [TranslationJob(File(), tmp_path / name, Form()) for name in "abc"]
    translate_files(translator, jobs, Search(), 3)
    assert held == [len(TEXT)] * 3


def test_all_texts_are_read_before_the_first_is_translated(translator, tmp_path):
    def broken():
        yield from lines()
        raise InputError("b is not UTF-8", "mend it")

    jobs = [TranslationJob(lines(), tmp_path / "a", Form()), TranslationJob(broken(), tmp_path / "b", Form())]
    with pytest.raises(InputError, match="b is not UTF-8"):
        translate_files(translator, jobs, Search(), 3)
    assert not list(tmp_path.iterdir())
