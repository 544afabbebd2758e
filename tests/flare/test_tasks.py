"""Task readers on small files in the public formats, and on broken ones."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from lslo_cli.errors import InputError
from lslo_cli.flare.examples import Example, Question, paired
from lslo_cli.flare.tasks import TASKS, read_nusax, read_xnli
from lslo_cli.flare.tydiqa import read_tydiqa

SHARED = Path(os.environ.get("LSLO_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nusax_with_commas_quotes_and_line_breaks(tmp_path):
    text = 'id,text,label\n7,"one, two\nthree ""four""",negative\n12,five,positive\n'
    write(tmp_path / "javanese" / "valid.csv", text)
    assert read_nusax(tmp_path, "jv", "dev") == [
        Example("7", 'one, two\nthree "four"', 0),
        Example("12", "five", 2),
    ]


def test_a_byte_order_mark_and_labels_in_another_case_are_read(tmp_path):
    rows = "id,text,label\n1,a,Positive\n2,b,negative \n"
    write(tmp_path / "javanese" / "test.csv", "\ufeff" + rows)
    assert read_nusax(tmp_path, "jv", "test") == [Example("1", "a", 2), Example("2", "b", 0)]
    path = tydiqa_file(tmp_path / "dev.json", "finnish-1-0")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_tydiqa(path)) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "test.csv is empty"),
        ("\ufeff", "test.csv is empty"),
        ("\n", "test.csv is empty"),
        ("id,text,label\n1,a,neutral\n2,b,neutral\n1,c,neutral\n", "id 1 occurs twice, in rows 1 and 3"),
        ("id,text\n1,a\n", "no column 'label'"),
        ("id,text,label,text\n1,a,neutral,b\n", "several columns 'text'"),
        ("id,text,label\n1,a,angry\n", "row 1 has the label 'angry'"),
        ("id,text,label\n", "a header and no rows"),
        ("id,text,label\n1,a\n", "row 1 has another number of columns"),
        ("id,text,label\n1,a,neutral,more\n", "row 1 has another number of columns"),
    ],
)
def test_a_broken_nusax_file_is_named(tmp_path, text, complaint):
    write(tmp_path / "javanese" / "test.csv", text)
    with pytest.raises(InputError, match=complaint):
        read_nusax(tmp_path, "jv", "test")


def test_a_missing_file_an_unknown_language_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_nusax(tmp_path, "jv", "test")
    with pytest.raises(InputError, match="no language 'jw'"):
        read_nusax(tmp_path, "jw", "test")
    path = tmp_path / "javanese" / "test.csv"
    path.parent.mkdir()
    path.write_bytes(b"id,text,label\n1,\xff\xfe,neutral\n")
    with pytest.raises(InputError, match="cannot read"):
        read_nusax(tmp_path, "jv", "test")


XNLI_COLUMNS = ("language", "gold_label", "sentence1_binary_parse", "sentence1", "sentence2", "pairID")


def xnli_file(folder: Path) -> None:
    rows = [
        XNLI_COLUMNS,
        ("ar", "neutral", "-", "a1", "a2", "1"),
        ("sw", "contradiction", "-", 'he said "no', "s2", "1"),
        ("sw", "entailment", "-", "s3", "s4", "2"),
    ]
    write(folder / "xnli.test.tsv", "".join("\t".join(row) + "\n" for row in rows))


def test_xnli_keeps_one_language_and_takes_quotes_as_they_are(tmp_path):
    xnli_file(tmp_path)
    assert read_xnli(tmp_path, "sw", "test") == [
        Example("1", 'he said "no', 2, "s2"),
        Example("2", "s3", 0, "s4"),
    ]
    with pytest.raises(InputError, match="no rows of language 'xx'"):
        read_xnli(tmp_path, "xx", "test")


def test_a_row_of_xnli_is_numbered_in_the_whole_file(tmp_path):
    xnli_file(tmp_path)
    path = tmp_path / "xnli.test.tsv"
    text = path.read_text(encoding="utf-8")
    write(path, text.replace("entailment", "hidden"))
    assert len(read_xnli(tmp_path, "ar", "test")) == 1  # others' labels are theirs
    with pytest.raises(InputError, match="row 3 has the label 'hidden'"):
        read_xnli(tmp_path, "sw", "test")
    write(path, text.replace("s4\t2", "s4\t1"))
    with pytest.raises(InputError, match="id 1 occurs twice, in rows 2 and 3"):
        read_xnli(tmp_path, "sw", "test")


def test_xnli_training_files_are_aligned_by_row(tmp_path):
    for language, premise in (("en", "p"), ("sw", "q")):
        rows = f"premise\thypo\tlabel\n{premise}1\th1\tcontradictory\n{premise}2\th2\tentailment\n"
        write(tmp_path / f"multinli.train.{language}.tsv", rows)
    pairs = paired(*(read_xnli(tmp_path, language, "train") for language in ("en", "sw")), "xnli")
    assert [(s.text, t.text) for s, t in zip(pairs.source, pairs.target, strict=True)] == [
        ("p1", "q1"),
        ("p2", "q2"),
    ]
    assert pairs.labels == [2, 0]


def tydiqa_file(path: Path, *names: str, answer: str = "Aino", start: int = 4) -> Path:
    """Questions named so about one context."""
    answers = [{"text": answer, "answer_start": start}]
    questions = [{"id": name, "question": f"Who? {name}", "answers": answers} for name in names]
    document = {"data": [{"paragraphs": [{"context": "Hän Aino on.", "qas": questions}]}]}
    return write(path, json.dumps(document))


def test_tydiqa_in_squads_format(tmp_path):
    path = tydiqa_file(tmp_path / "dev.json", "finnish-1-0", "korean-1-0")
    assert len(read_tydiqa(path)) == 2
    (question,) = read_tydiqa(path, "finnish")
    assert question == Question("finnish-1-0", "Who? finnish-1-0", "Hän Aino on.", "Aino", 4)
    assert question.pair[slice(*question.label)] == "Aino"


def test_rows_as_datasets_writes_them_are_the_same_questions_with_all_their_answers(tmp_path):
    names, own = ("finnish-1-0", "finnish-2-0"), {"text": ["Aino", "no"], "answer_start": [4, 6]}
    rows = [
        {"id": name, "title": "T", "context": "Hän Aino on.", "question": f"Who? {name}", "answers": own}
        for name in names
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    both = [Question(name, f"Who? {name}", "Hän Aino on.", "Aino", 4, (("no", 6),)) for name in names]
    for text, questions in (
        (lines, both),
        (lines.replace("\n", "\r\n"), both),
        (json.dumps(rows, indent=2), both),
        (json.dumps({"data": rows}), both),
        (json.dumps(rows[0]) + "\n", both[:1]),
    ):
        assert read_tydiqa(write(tmp_path / "dev.json", text)) == questions
    path = tydiqa_file(tmp_path / "nested.json", *names)
    nested = json.loads(path.read_text(encoding="utf-8"))
    for question in nested["data"][0]["paragraphs"][0]["qas"]:
        question["answers"].append({"text": "no", "answer_start": 6})
    assert read_tydiqa(write(path, json.dumps(nested))) == both
    own["text"], own["answer_start"] = [], []
    (question,) = read_tydiqa(write(tmp_path / "dev.json", json.dumps([rows[0]])))
    assert question.answer == ""
    with pytest.raises(InputError, match=r"cannot read TyDiQA-GoldP from .*: JSONDecodeError"):
        read_tydiqa(write(tmp_path / "dev.json", lines[:-4]))


def test_an_answer_that_is_not_where_it_is_said_to_be(tmp_path):
    path = tydiqa_file(tmp_path / "dev.json", "finnish-1-0", start=5)
    with pytest.raises(InputError, match="finnish-1-0 is not at character 5"):
        read_tydiqa(path)
    row = {"id": "finnish-1-0", "context": "a b", "question": "?"}
    row["answers"] = {"text": ["a", "b"], "answer_start": [0, 1]}
    with pytest.raises(InputError, match="finnish-1-0 is not at character 1"):
        read_tydiqa(write(path, json.dumps(row)))


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("answer_start", "4", "answer_start of finnish-1-0 is '4', which is not a whole number"),
        ("answer_start", None, "answer_start of finnish-1-0 is None"),
        ("answer_start", -8, "the answer of finnish-1-0 is not at character -8"),
        ("text", 7, "the text of the answer of question finnish-1-0 is 7, which is not text"),
        ("id", 12, "the id of question 12 is 12, which is not text"),
        ("question", ["Who?"], "the question of question finnish-1-0 is"),
        ("context", 3, "the context of question finnish-1-0 is 3"),
        ("answers", {"text": ["Aino"], "answer_start": []}, "the answers of question finnish-1-0 are {"),
        ("answers", {"text": "Aino", "answer_start": 4}, "the answers of question finnish-1-0 are {"),
        ("answers", None, "the answers of question finnish-1-0 are None, not as in SQuAD"),
        ("answers", [{"answer_start": 4}], "the text of the answer of question finnish-1-0 is None"),
    ],
)
def test_values_of_another_type_are_named(tmp_path, key, value, complaint):
    path = tydiqa_file(tmp_path / "dev.json", "finnish-1-0")
    document = json.loads(path.read_text(encoding="utf-8"))
    paragraph = document["data"][0]["paragraphs"][0]
    question = paragraph["qas"][0]
    holder = next(each for each in (question["answers"][0], question, paragraph) if key in each)
    holder[key] = value
    write(path, json.dumps(document))
    with pytest.raises(InputError, match=complaint):
        read_tydiqa(path, "finnish")


def test_a_language_without_questions_an_empty_file_and_an_id_twice(tmp_path):
    path = tydiqa_file(tmp_path / "dev.json", "finnish-1-0", "korean-1-0", "finnish-1-0")
    with pytest.raises(InputError, match=r"dev\.json has no questions of language 'russian'"):
        read_tydiqa(path, "russian")
    with pytest.raises(InputError, match="id finnish-1-0 occurs twice, in questions 1 and 3"):
        read_tydiqa(path, "finnish")
    with pytest.raises(InputError, match="dev.json is empty"):
        read_tydiqa(write(path, "\n"))


@pytest.mark.parametrize("text", ["[1]", '{"data": [{}]}', '{"data": 1}'])
def test_a_broken_tydiqa_file_is_an_input_error(tmp_path, text):
    with pytest.raises(InputError, match="cannot read TyDiQA"):
        read_tydiqa(write(tmp_path / "dev.json", text))


def test_tydiqa_trains_on_translations_and_is_tested_beside_translations_into_english(tmp_path):
    names = [f"english-{n}-0" for n in range(11)]
    tydiqa_file(tmp_path / "tydiqa-goldp-v1.1-train.json", *names, "finnish-9-9")
    tydiqa_file(
        tmp_path / "tydiqa.translate.train.en-fi.json", *names[1:], answer="on", start=9
    )  # one was lost
    tydiqa_file(tmp_path / "tydiqa-goldp-v1.1-dev.json", "finnish-1-0", "korean-1-0")
    tydiqa_file(tmp_path / "tydiqa.translate.test.fi-en.json", "finnish-1-0")
    train, dev, test = (TASKS["tydiqa"].pairs(tmp_path, "fi", split) for split in ("train", "dev", "test"))
    assert [len(pairs.target) for pairs in (train, dev, test)] == [9, 1, 1]
    assert train.source[0].id == train.target[0].id
    assert (train.source[0].answer, train.target[0].answer) == ("Aino", "on")
    with pytest.raises(InputError, match="no language 'xx'"):
        TASKS["tydiqa"].pairs(tmp_path, "xx", "train")


def test_no_language_of_tydiqa_is_developed_on_what_another_is_trained_on(tmp_path):
    names = [f"english-{n}-0" for n in range(10, 50)]
    tydiqa_file(tmp_path / "tydiqa-goldp-v1.1-train.json", *names)
    path = tydiqa_file(tmp_path / "tydiqa.translate.train.en-fi.json", *names[:-3])  # which lacks the last
    read = partial(TASKS["tydiqa"].pairs, tmp_path)
    dev = {language: {each.id for each in read(language, "dev").target} for language in ("en", "fi")}
    assert dev == {"en": set(names[-4:]), "fi": {names[-4]}}
    for language in dev:
        assert [each.id for each in read(language, "train").target] == names[:-4]
    tydiqa_file(path, *names[:-4])
    with pytest.raises(InputError, match="TyDiQA-GoldP fi dev has no question with an answer in both"):
        read("fi", "dev")


def test_tydiqa_questions_without_an_answer_are_left_out_and_counted(tmp_path):
    tydiqa_file(tmp_path / "tydiqa-goldp-v1.1-dev.json", "finnish-1-0", "finnish-2-0", "finnish-3-0")
    path = tydiqa_file(tmp_path / "tydiqa.translate.test.fi-en.json", "finnish-1-0", "finnish-2-0")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["data"][0]["paragraphs"][0]["qas"][1]["answers"] = []
    path.write_text(json.dumps(document), encoding="utf-8")
    pairs = TASKS["tydiqa"].pairs(tmp_path, "fi", "test")
    assert [question.id for question in pairs.target] == ["finnish-1-0"]
    assert pairs.left_out == 2  # one without a translation, one whose translation has no answer


def test_rows_are_paired_by_id_in_order():
    source = [Example("10", "j", 1), Example("9", "i", 0)]
    target = [Example("9", "I", 0), Example("10", "J", 1)]
    pairs = paired(source, target, "x")
    assert [(s.text, t.text) for s, t in zip(pairs.source, pairs.target, strict=True)] == [
        ("i", "I"),
        ("j", "J"),
    ]


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ([Example("1", "a", 0)], "different rows"),
        ([Example("1", "a", 0), Example("3", "b", 1)], "lacks id 3"),
        ([Example("1", "a", 0), Example("2", "b", 0)], "labels of id 2 differ"),
    ],
)
def test_texts_that_do_not_belong_together_are_refused(target, complaint):
    with pytest.raises(InputError, match=complaint):
        paired([Example("1", "a", 0), Example("2", "b", 1)], target, "x")


@pytest.mark.skipif(not (SHARED / "nusax").is_dir(), reason="NusaX is not at LSLO_SHARED_DATA")
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_nusax_is_aligned_across_languages(split):
    for language in ("ace", "ban", "bjn", "id", "jv", "min", "su"):
        pairs = TASKS["nusax"].pairs(SHARED / "nusax", language, split)
        assert len(pairs.labels) == {"train": 500, "dev": 100, "test": 400}[split]
