import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch

from lslo_cli.artifacts.lock import locked
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Noted, Started
from lslo_cli.models.base import load_base
from lslo_cli.recipe import resolve
from lslo_cli.tasks.train_base import fit_base, train_base
from lslo_cli.training.batches import FixedEpochs


class Source:
    """Epochs of three batches, named by epoch and place."""

    def batches(self, epoch):
        return [f"{epoch}{letter}" for letter in "abc"]


def test_fixed_epochs_go_on_where_the_last_one_ended_whatever_the_size_of_the_corpus():
    epochs = FixedEpochs(Source(), 4)
    assert list(epochs.updates(1, 2)) == [["1a", "1b"], ["1c", "2a"]]
    assert list(epochs.updates(2, 2)) == [["2b", "2c"], ["3a", "3b"]]
    assert len(epochs.batches(1)) == 4


def test_a_later_epoch_can_be_asked_for_first():
    assert list(FixedEpochs(Source(), 4).updates(3, 3)) == [["3c", "4a", "4b"], ["4c"]]


RECIPE = {"base.epochs": 3, "base.updates": 6, "base.dropout": 0.2, "base.warmup": 4}


@pytest.fixture
def recipe(tiny):
    return tiny.recipe(**RECIPE)


def state(base):
    return {name: tensor.clone() for name, tensor in base.model.state_dict().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_base_is_trained_with_its_own_vocabulary(recipe, tmp_path):
    base, result, data = fit_base(recipe, tmp_path / "work", tmp_path / "base")
    assert base.tokenizer.vocab_size == 200 + 1 + 4
    assert set(base.tokenizer.languages) == {"qta", "qso", "qki", "qka"}
    assert not base.model.training
    assert_equal(state(load_base(str(tmp_path / "base"))), state(base))
    assert len(result.history) == len(result.validation) == 3
    assert all(record.updates == 6 for record in result.history)
    assert result.validation[-1] < result.validation[0]
    assert (data.split, data.rows) == ("train", 80)
    assert result.sentence_pairs == data.examples == 12 * 75  # five rows are held out


def test_the_same_seed_gives_the_same_base(recipe, tmp_path):
    first, second = (fit_base(recipe, tmp_path / name, tmp_path / f"base-{name}") for name in ("one", "two"))
    assert_equal(state(first[0]), state(second[0]))
    assert first[1] == second[1]


def train_until_epoch_2(recipe, tmp_path):
    def interrupt(event):
        if isinstance(event, Noted) and event.text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_base(recipe, tmp_path / "cut", tmp_path / "base", on_event=interrupt)


def test_an_interrupted_base_is_resumed_to_the_same_weights(recipe, tmp_path):
    expected, result, _ = fit_base(recipe, tmp_path / "whole", tmp_path / "expected")
    train_until_epoch_2(recipe, tmp_path)
    notes = []
    resumed, again, _ = fit_base(
        recipe, tmp_path / "cut", tmp_path / "base", resume=True, on_event=notes.append
    )
    assert_equal(state(resumed), state(expected))
    assert again == result
    assert Noted("resuming base training after epoch 1 of 3") in notes
    assert not any("vocabulary" in getattr(note, "text", "") for note in notes)


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_resumed_base_may_be_given_more_epochs_or_fewer(recipe, tiny, tmp_path, epochs):
    other = tiny.recipe(**{**RECIPE, "base.epochs": epochs})
    expected, result, _ = fit_base(other, tmp_path / "whole", tmp_path / "expected")
    train_until_epoch_2(recipe, tmp_path)
    resumed, again, _ = fit_base(other, tmp_path / "cut", tmp_path / "base", resume=True)
    assert_equal(state(resumed), state(expected))
    assert again == result and len(again.history) == epochs


def test_a_base_is_trained_into_the_folder_that_a_shell_stands_in(recipe, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train_base(recipe, Path("."), "lslo base train --out .")
    assert {"config.json", "training.json"} <= {path.name for path in Path().iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_base_that_another_process_trains_is_waited_for_and_memory_that_runs_out_is_said(
    recipe, tmp_path, monkeypatch
):
    def no_memory(*arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(import_module("lslo_cli.tasks.train_base"), "fit_base", no_memory)
    work = tmp_path / ".base.training"
    holder, heard = locked(work), []
    holder.__enter__()

    def listen(event):
        heard.append(event)
        holder.__exit__(None, None, None)

    with pytest.raises(RunError, match="memory ran out") as caught:
        train_base(recipe, tmp_path / "base", "lslo base train", on_event=listen)
    assert heard == [Noted(f"waiting for another process that makes {work}")]
    assert "base.max_tokens" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_other_settings_do_not_resume(recipe, tiny, tmp_path):
    fit_base(recipe, tmp_path / "work", tmp_path / "base")
    other = tiny.recipe(**{"base.epochs": 3, "base.updates": 6, "base.lr": 0.5})
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        fit_base(other, tmp_path / "work", tmp_path / "base", resume=True)


@pytest.mark.parametrize("other", [{"seed": 7}, {"base.vocabulary": 220}])
def test_a_base_is_resumed_with_its_own_vocabulary_after_another_was_begun(recipe, tiny, tmp_path, other):
    expected, result, _ = fit_base(recipe, tmp_path / "whole", tmp_path / "expected")
    train_until_epoch_2(recipe, tmp_path)

    def interrupt(event):
        if isinstance(event, Started):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_base(tiny.recipe(**{**RECIPE, **other}), tmp_path / "cut", tmp_path / "base", on_event=interrupt)
    resumed, again, _ = fit_base(recipe, tmp_path / "cut", tmp_path / "base", resume=True)
    assert_equal(state(resumed), state(expected))
    assert resumed.tokenizer.encode("taro miro") == expected.tokenizer.encode("taro miro")
    assert again == result


def test_a_finished_base_is_kept_and_never_replaced_by_resuming(recipe, tiny, tmp_path):
    out = tmp_path / "base"
    made = train_base(recipe, out, "lslo base train")
    files = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    kept = train_base(recipe, out, "lslo base train", resume=True)
    assert kept.up_to_date and kept.artifact == made.artifact
    for change in ({"base.epochs": 4}, {"seed": 7}, {"langs": "qta,qso,qki"}):
        with pytest.raises(UsageError, match="nothing to resume: .* finished base, trained with other"):
            train_base(tiny.recipe(**{**RECIPE, **change}), out, "lslo base train", resume=True)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == files


@pytest.mark.parametrize("content", [None, b"{}", "other"])
def test_a_finished_base_whose_files_are_gone_or_others_is_trained_again(tiny, tmp_path, content):
    out, notes = tmp_path / "base", []
    recipe = tiny.recipe(**{**RECIPE, "base.epochs": 1, "base.updates": 1})
    made = train_base(recipe, out, "lslo base train")
    weights = out / "model.safetensors"
    if content == "other":
        shutil.copy(tiny.base / weights.name, weights)
    elif content:
        weights.write_bytes(content)
    else:
        weights.unlink()
    again = train_base(recipe, out, "lslo base train", resume=True, on_event=notes.append)
    assert not again.up_to_date and again.artifact.model == made.artifact.model
    said = f"the model in {out} is not the one that training.json describes: training it again"
    assert Noted(said) in notes
    assert load_base(str(out)).identity.digest == made.artifact.model.digest


def test_a_shape_that_cannot_be_is_refused_before_a_vocabulary_is_trained(tiny, tmp_path):
    recipe, notes = tiny.recipe(**{"base.d_model": 16, "base.heads": 3}), []
    with pytest.raises(UsageError, match="d_model 16 cannot be split into 3 heads"):
        fit_base(recipe, tmp_path / "work", tmp_path / "base", on_event=notes.append)
    assert not notes


def test_the_advice_for_a_base_that_diverges_names_its_own_section(tiny, tmp_path):
    with pytest.raises(RunError, match="base training diverged") as caught:
        fit_base(tiny.recipe(**{**RECIPE, "base.lr": 1e30}), tmp_path / "work", tmp_path / "base")
    assert "--set base.clip_norm=1.0" in caught.value.hint


def test_uneven_bitext_trains_the_directions_that_have_text(tiny, tmp_path):
    text = tmp_path / "bitext"
    text.mkdir()
    rows = {
        code: (tiny.text / f"train/{code}.train").read_text(encoding="utf-8").splitlines()
        for code in ("qta", "qso", "qka")
    }
    for pair, count in ((("qta", "qso"), 60), (("qta", "qka"), 20)):
        for code in pair:
            (text / f"{'-'.join(pair)}.{code}").write_text(
                "\n".join(rows[code][:count]) + "\n", encoding="utf-8"
            )
    changes = {"langs": "qta,qso,qka", "data.path": str(text), "data.train": "", "base.epochs": 1}
    notes = []
    _, result, _ = fit_base(
        tiny.recipe(**changes, **{"base.updates": 3, "base.held_out": 2}),
        tmp_path / "work",
        tmp_path / "base",
        on_event=notes.append,
    )
    assert result.sentence_pairs == 2 * (58 + 18)
    assert any("in 4 directions" in note.text for note in notes if isinstance(note, Noted))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.train_rows": 5, "data.directions": ["qta-qso"]}, "data.train_rows, data.directions"),
        (
            {"data.max_length": 9, "data.temperature": 1.0},
            "data.train_rows, data.temperature, data.max_length",
        ),
    ],
)
def test_settings_of_fine_tuning_leave_a_base_its_whole_text_and_a_note_names_them(
    tiny, tmp_path, changes, said
):
    few, notes = {"base.epochs": 1, "base.updates": 1}, []
    recipe = tiny.recipe(**few, **changes)  # with six rows for fine-tuning, if not said otherwise
    _, result, data = fit_base(recipe, tmp_path / "work", tmp_path / "base", on_event=notes.append)
    assert (data.rows, result.sentence_pairs) == (80, 12 * 75)
    text = "a base is trained on all of its text, by the settings of [base]"
    assert Noted(f"for fine-tuning only: {said}; {text}") in notes


def test_a_recipe_of_a_base_alone_has_no_note_on_fine_tuning(tmp_path):
    given = {"data.path": "world", "data.train": "test", "langs": "qta,qso", "base.vocabulary": 100}
    given |= {"base.epochs": 1, "base.updates": 1, "base.d_model": 8, "base.ffn_dim": 8, "base.heads": 2}
    notes = []
    fit_base(resolve(None, given), tmp_path / "work", tmp_path / "base", on_event=notes.append)
    assert notes and not any("fine-tuning" in note.text for note in notes if isinstance(note, Noted))


def test_classes_by_the_size_of_the_text_are_recorded(tiny, tmp_path):
    (tmp_path / "text").mkdir()
    for code, known in (("en", "qta"), ("tr", "qso")):
        shutil.copy(tiny.text / f"train/{known}.train", tmp_path / "text" / f"{code}.txt")
    given = {"langs": "en,tr", "classes": "text", "data.path": str(tmp_path / "text"), "base.epochs": 1}
    given |= {"base.updates": 1, "base.vocabulary": 100}
    recipe = resolve(None, {**given, "base.d_model": 8, "base.ffn_dim": 8, "base.heads": 2})
    made = train_base(recipe, tmp_path / "base", "lslo base train")
    assert [str(language.resource) for language in made.artifact.languages] == ["high", "very-low"]


def test_dev_rows_are_those_of_the_validation(tiny, tmp_path):
    few = {"base.epochs": 1, "base.updates": 1, "data.train_rows": 60}
    losses = []
    for rows, held_out in ((5, 8), (5, 1), (9, 1)):
        given = {**few, "data.dev_rows": rows, "base.held_out": held_out}
        _, result, data = fit_base(tiny.recipe(**given), tmp_path / "work", tmp_path / "base")
        assert (data.rows, result.sentence_pairs) == (80 - rows, 12 * (80 - rows))
        losses.append(result.validation)
    assert losses[0] == losses[1] != losses[2]


def test_text_without_splits_is_trained_on_as_a_whole(tiny, tmp_path):
    lines = [(tiny.text / f"train/{code}.train").read_text(encoding="utf-8") for code in ("qta", "qso")]
    rows = "".join(f"{one}\t{other}\n" for one, other in zip(*map(str.splitlines, lines), strict=True))
    (tmp_path / "one.tsv").write_text("qta\tqso\n" + rows, encoding="utf-8")
    (tmp_path / "files").mkdir()
    for code, text in zip(("qta", "qso"), lines, strict=True):
        (tmp_path / "files" / f"{code}.txt").write_text(text, encoding="utf-8")
    for path in (tmp_path / "one.tsv", tmp_path / "files"):
        given = {"data.path": str(path), "langs": "qta,qso", "base.vocabulary": 100}
        given |= {"base.epochs": 1, "base.updates": 1, "base.d_model": 8, "base.ffn_dim": 8, "base.heads": 2}
        _, _, data = fit_base(resolve(None, given), tmp_path / "work", tmp_path / "base")
        assert (data.split, data.rows) == ("", 80)


def test_a_split_that_is_not_there_is_said_with_the_flag_of_this_command(tiny, tmp_path):
    with pytest.raises(InputError, match="has no split 'nope'") as error:
        fit_base(tiny.recipe(**{"data.train": "nope"}), tmp_path / "work", tmp_path / "base")
    assert "--train" in error.value.hint and "--test" not in error.value.hint


SIZES = {"qta": 40, "qso": 20, "qki": 10}
"""Sentences of three languages; the fourth, qka, has no size and keeps all of its 80."""


@pytest.fixture
def cut_recipe(tiny):
    """The recipe on text that is cut to the sizes of its languages, with other values by dotted key."""
    sizes = {f"languages.{code}.bitext": size for code, size in SIZES.items()}
    classes = {f"languages.{code}.resource": "low" for code in (*SIZES, "qka")}
    settings = {**RECIPE, **sizes, **classes, "base.cut_to_bitext": True}
    return lambda **changes: tiny.recipe(**{**settings, **changes})


def test_text_is_cut_to_the_bitext_of_its_languages(cut_recipe, tiny, tmp_path):
    text = tmp_path / "text"
    text.mkdir()
    for code in (*SIZES, "qka"):
        lines = (tiny.text / f"train/{code}.train").read_text(encoding="utf-8").splitlines()
        kept = [line if row < SIZES.get(code, 80) else "" for row, line in enumerate(lines)]
        (text / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    beforehand = {"base.cut_to_bitext": False, "data.path": str(text), "data.train": ""}
    expected, result, data = fit_base(cut_recipe(**beforehand), tmp_path / "whole", tmp_path / "base")
    assert result.sentence_pairs <= 2 * (20 + 10 + 40 + 10 + 20 + 10) < 12 * 75

    train_until_epoch_2(cut_recipe(**beforehand), tmp_path)
    resumed, again, cut = fit_base(cut_recipe(), tmp_path / "cut", tmp_path / "base", resume=True)
    assert_equal(state(resumed), state(expected))
    assert (again, cut.digest, cut.rows) == (result, data.digest, 80)


def test_text_that_is_shorter_than_what_it_is_cut_to_is_refused(cut_recipe, tmp_path):
    with pytest.raises(InputError, match="has 80 sentences of 'qso', fewer than the 81"):
        fit_base(cut_recipe(**{"languages.qso.bitext": 81}), tmp_path / "work", tmp_path / "base")


def test_a_base_does_not_replace_a_model_that_lslo_did_not_write(recipe, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "config.json").write_text("{}")
    (out / "vocab.json").write_text("{}")
    with pytest.raises(UsageError, match="mine holds a model that lslo did not write"):
        train_base(recipe, out, "lslo base train")
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "vocab.json"]
