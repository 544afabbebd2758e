"""``lslo data`` as typed: what is printed where, and the exit codes."""

from __future__ import annotations

import io
import json
import re
import shlex
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from lslo_cli.models.checkpoint import find_checkpoint


@pytest.fixture
def flores(tmp_path: Path) -> Path:
    """Four sentences in three languages, in the layout of FLORES-101."""
    for split in ("dev", "devtest"):
        (tmp_path / "flores" / split).mkdir(parents=True)
        for code in ("eng", "fra", "zho_simpl"):
            lines = "".join(f"{code} {split} {row}\n" for row in range(4))
            (tmp_path / "flores" / split / f"{code}.{split}").write_text(lines, encoding="utf-8")
    return tmp_path / "flores"


@pytest.fixture
def tarball(flores: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(flores, "flores101_dataset")
    return packed.getvalue()


@pytest.mark.parametrize("command", ["check", "fetch"])
def test_help_says_what_is_read_shows_a_line_that_parses_and_fits_eighty_columns(
    lslo: Callable, lslo_process: Callable, command: str
):
    text = lslo("data", command, "--help").stdout
    assert "Reads:" in text and "Writes:" in text
    example = re.search(rf"Example: lslo (data {command}.*)", text)
    assert lslo(*example.group(1).split(), "--help").exit_code == 0
    assert max(map(len, lslo_process("data", command, "--help", COLUMNS="80").stdout.splitlines())) <= 80


def test_the_group_is_in_the_help(lslo: Callable):
    assert re.search(r"^│ data ", lslo("--help").stdout, re.MULTILINE)


def test_sound_data_ends_with_the_next_command(lslo: Callable, flores: Path):
    run = lslo("data", "check", str(flores), "--langs", "en,fr,zh")
    assert run.exit_code == 0
    assert re.search(r"zh +zho_simpl +4 +0", run.stdout)
    assert re.search(r"languages +3: en, fr, zh", run.stdout)
    assert re.search(r"devtest +3 pairs of 4 rows", run.stdout)
    assert re.search(r"usable +yes", run.stdout)
    last = run.stderr.splitlines()[-1]
    assert last == f"usable; next: lslo estimate-subspace --data {flores} --langs en,fr,zh"


def test_a_problem_ends_with_exit_code_3_and_stands_first(lslo: Callable, flores: Path):
    (flores / "dev/fra.dev").write_bytes(b"eng dev 0\nb\xe9\n")
    run = lslo("data", "check", str(flores), "--langs", "en,fr")
    assert run.exit_code == 3
    assert re.search(
        r"^problem +dev, file: .*fra\.dev is not UTF-8", run.stdout.replace("\n         ", " "), re.M
    )
    assert re.search(r"usable +no", run.stdout)
    assert f"error: {flores} is not usable: 2 problems would stop a run" in run.stderr


def test_the_document_is_all_that_json_prints(lslo: Callable, flores: Path):
    (flores / "dev/fra.dev").write_text("b\n", encoding="utf-8")
    run = lslo("data", "check", str(flores), "--json", "--quiet")
    assert run.exit_code == 3
    document = json.loads(run.stdout)
    assert (document["schema_id"], document["version"]) == ("lslo/data-check", 1)
    assert document["result"]["usable"] is False
    assert document["result"]["findings"][0]["severity"] == "problem"
    assert run.stderr.startswith("error: ")


def test_nothing_but_the_result_is_said_when_quiet(lslo: Callable, flores: Path):
    assert lslo("data", "check", str(flores), "--quiet").stderr == ""


def test_pairs_are_counted_when_asked_for(lslo: Callable, flores: Path):
    assert re.search(r"en +fr +4 +0", lslo("data", "check", str(flores), "--pairs").stdout)
    assert "pairs\n" not in lslo("data", "check", str(flores)).stdout


def test_overlap_with_other_text_is_a_warning(lslo: Callable, flores: Path):
    run = lslo("data", "check", str(flores), "--split", "dev", "--against", str(flores / "dev"))
    assert run.exit_code == 0
    assert re.search(r"warning +.*dev, overlap: occurs in dev", run.stdout.replace("\n         ", ""))


def test_a_set_of_languages_goes_by_its_name(lslo: Callable, flores: Path):
    run = lslo("data", "check", str(flores), "--langs", "lang12", "--json")
    assert len(json.loads(run.stdout)["result"]["languages"]) == 12


def test_the_path_may_come_from_the_environment(
    lslo: Callable, flores: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LSLO_DATA", str(flores))
    assert lslo("data", "check").exit_code == 0


def test_a_path_without_data_is_an_error(lslo: Callable):
    run = lslo("data", "check", "nowhere")
    assert (run.exit_code, run.stdout) == (3, "")
    assert "error: no data folder at nowhere" in run.stderr


def test_fetched_data_can_be_checked(lslo: Callable, server, tarball: bytes):
    server.content = tarball
    run = lslo("data", "fetch", "flores101", "--url", server.url)
    assert run.exit_code == 0
    assert sha256(tarball).hexdigest() in run.stdout
    assert f"downloading data.tar.gz: {len(tarball):,} bytes" in run.stderr
    assert run.stderr.splitlines()[-1] == "data/flores101 is ready; next: lslo data check data/flores101"
    assert lslo("data", "check", "data/flores101").exit_code == 0
    again = lslo("data", "fetch", "flores101", "--url", server.url, "--json")
    assert json.loads(again.stdout)["sha256"] == sha256(tarball).hexdigest()
    assert "is complete already" in again.stderr


def test_a_fetch_that_fails_is_an_error_with_advice(lslo: Callable, server, tarball: bytes):
    server.content, server.cut = tarball, 50
    run = lslo("data", "fetch", "flores101", "--to", "here", "--url", server.url)
    assert run.exit_code == 3
    assert "hint: run the same line again: it resumes where it stopped" in run.stderr
    assert not Path("here").exists()


def test_other_data_sets_are_not_known(lslo: Callable):
    run = lslo("data", "fetch", "europarl")
    assert run.exit_code == 2
    assert "flores101" in run.stderr


LAYOUTS = {
    "FLORES": "{split}/{code}.{split}",
    "language last": "{split}.{code}",
    "a folder per pair": "en-fr/{split}.{code}",
    "bitext": "{split}.en-fr.{code}",
    "without splits": "{code}.txt",
}


def text_of(line: str):
    """The languages of a printed line, and the text that its recipe trains and tests on."""
    from lslo_cli.data.splits import with_splits
    from lslo_cli.data.text import read_text
    from lslo_cli.recipe import resolve

    words = shlex.split(line.partition("next: lslo ")[2])[1:]
    typed = dict(zip(words[::2], words[1::2], strict=True))
    given = {"data.path": typed["--data"], "langs": typed["--langs"]}
    if "--hold-out" in typed:
        given["data.hold_out"] = int(typed["--hold-out"])
    recipe = with_splits(resolve(given=given))
    codes = typed["--langs"].split(",")
    return codes, *(read_text(recipe, codes, split) for split in (recipe.data.train, recipe.data.test))


@pytest.mark.parametrize("name", LAYOUTS.values(), ids=LAYOUTS)
def test_the_next_line_reads_text_to_train_and_to_test_on(lslo, tmp_path, name):
    for split in ("train", "test"):
        for code in ("en", "fr"):
            path = tmp_path / "text" / name.format(split=split, code=code)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{code} {split} {row}\n" for row in range(40)), encoding="utf-8")
    last = lslo("data", "check", str(tmp_path / "text")).stderr.splitlines()[-1]
    codes, train, test = text_of(last)
    assert codes == ["en", "fr"] and len(train.sections[0]) and len(test.sections[0])
    assert set(train.sections[0].text["en"]).isdisjoint(test.sections[0].text["en"])


def lines(code: str, rows: int, distinct: int = 10**9) -> str:
    return "".join(f"{code} {row % distinct}\n" for row in range(rows))


@pytest.mark.parametrize(
    ("files", "held_out"),
    [
        ({f"{code}.txt": lines(code, 2000) for code in ("en", "fr")}, 100),
        ({f"{code}.txt": lines(code, 200, distinct=3) for code in ("en", "fr")}, 2),
        (
            {
                f"en-{other}/train.{code}": lines(code + other, rows)
                for other, rows in {"fr": 200, "wo": 5}.items()
                for code in ("en", other)
            },
            1,
        ),
        ({f"dev.{code}": lines(code, 30) for code in ("en", "fr")}, 3),
    ],
    ids=["much text", "few distinct rows", "a small section", "a dev split alone"],
)
def test_no_more_rows_are_held_out_than_every_section_can_spare(lslo, write, files, held_out):
    write({f"my text/{name}": text for name, text in files.items()})
    last = lslo("data", "check", "my text").stderr.splitlines()[-1]
    assert last.endswith(f"--hold-out {held_out}")
    _, train, test = text_of(last)
    assert all(len(section) == held_out for section in test.sections)
    assert all(len(section) for section in train.sections)


def test_text_of_which_nothing_can_be_held_out_is_not_usable(lslo, write):
    write({f"text/{code}.txt": f"{code}\n" for code in ("en", "fr")})
    run = lslo("data", "check", "text", "--json")
    (problem,) = json.loads(run.stdout)["result"]["findings"]
    assert run.exit_code == 3 and problem["severity"] == "problem" and problem["check"] == "splits"
    assert "1 are distinct, and 0 would be left for training" in problem["message"]


def test_text_to_test_on_alone_is_for_an_evaluation(lslo, write):
    write({f"text/test/{code}.txt": lines(code, 20) for code in ("en", "fr")})
    run = lslo("data", "check", "text")
    assert "note" in run.stdout and "nothing to train on: text has only test" in " ".join(run.stdout.split())
    last = run.stderr.splitlines()[-1]
    assert last == "usable; next: lslo evaluate --data text --langs en,fr"
    planned = lslo(*shlex.split(last.partition("next: lslo ")[2]), "--model", "m2m-100-418m", "--dry-run")
    assert planned.exit_code == 0, planned.output


def test_a_language_that_is_named_twice_is_refused_as_a_run_refuses_it(lslo, flores):
    run = lslo("data", "check", str(flores), "--langs", "fr,en,eng")
    assert run.exit_code == 2
    assert "language 'en' is named twice, as en and eng" in run.stderr


def test_of_one_split_alone_nothing_is_said_of_holding_out(lslo, flores):
    last = lslo("data", "check", str(flores), "--split", "dev").stderr.splitlines()[-1]
    assert last.startswith("usable; next: lslo estimate-subspace")
    assert "--hold-out" not in last


def test_the_next_line_leaves_out_what_no_model_knows(lslo, write):
    write({f"text/{code}.txt": lines(code, 20) for code in ("en", "fr", "xqx")})
    run = lslo("data", "check", "text")
    assert run.stderr.splitlines()[-1].startswith(
        "usable; next: lslo estimate-subspace --data text --langs en,fr "
    )
    assert "no published model has a token for xqx" in " ".join(run.stdout.split())


ENDS = {"qta": " ж", "qso": ""}


def test_the_model_is_read_at_the_revision_that_is_asked_for_as_is_the_next_line(lslo, write, monkeypatch):
    write({f"text/{code}.txt": "".join(f"{code} {row}\n" for row in range(20)) for code in ("qta", "qso")})
    asked = []

    def find(model, revision):
        asked.append((model, revision))
        return find_checkpoint("world")

    monkeypatch.setattr("lslo_cli.models.checkpoint.find_checkpoint", find)
    run = lslo("data", "check", "text", "--model", "someone/model", "--set", "model.revision=v2")
    lslo("data", "check", "text", "--model", "someone/model")
    assert asked == [("someone/model", "v2"), ("someone/model", None)]
    assert "--model someone/model --set model.revision=v2" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--set", "model.revision=v2"),
        ("--model", "world", "--set", "model.name=other"),
        ("--model", "world", "--set", "data.max_length=9"),
        ("--model", "world", "--set", 'model={revision="v2",name="other"}'),
    ],
)
def test_a_setting_that_the_check_does_not_read_is_refused(lslo, flores, arguments):
    run = lslo("data", "check", str(flores), *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert f"--set {arguments[-1]} has no effect in lslo data check" in " ".join(run.stderr.split())


def test_a_model_tells_what_it_cannot_read_and_stays_in_the_next_line(lslo, write):
    words = ("ta", "ka", "so", "ki", "ma")
    rows = [f"{one} {other}" for one in words for other in words][:20]
    write({f"text/{code}.txt": "".join(f"{row}{end}\n" for row in rows) for code, end in ENDS.items()})
    run = lslo("data", "check", "text", "--model", "world")
    shown = " ".join(run.stdout.split())
    assert "unknown: read as <unk> by the base model, for qta ж 20 (qta 20); text/qta.txt:1" in shown
    assert "--langs qso,qta --model world --hold-out 2" in run.stderr.splitlines()[-1]


def test_text_that_is_not_read_is_named_by_the_check_and_by_commands_that_train(lslo, write):
    write({f"text/{code}.txt": lines(code, 5) for code in ("en", "fr")})
    write({"text/more.tsv": "en\tfr\na b\tc d\n"})
    note = "not read: more.tsv, since other text of text was found first"
    assert note in " ".join(lslo("data", "check", "text").stdout.split())
    given = ("--data", "text", "--langs", "en,fr")
    for command in (
        ("train", "--hold-out", "1", "--model", "m2m-100-418m"),
        ("base", "train", "--train", "", "--out", "model"),
    ):
        run = lslo(*command, *given)  # without a model, and with too little text for one
        assert run.exit_code == 3 and run.stderr.count(note) == 1, run.output
        assert note not in lslo(*command, *given, "--quiet").stderr
