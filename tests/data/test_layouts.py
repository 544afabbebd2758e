import gzip

import pytest

from lslo_cli.data.corpus import load_corpus
from lslo_cli.data.layouts import find_sections, find_splits
from lslo_cli.errors import InputError

EN, FR, WO = "a\nb\n", "c\nd\n", "\ne\n"
TEXT = {"en": ["a", "b"], "fr": ["c", "d"], "wo": ["", "e"]}
ALL = ("en", "fr", "wo")


def sections(path, languages=ALL, split=None):
    return {section.name: section.text for section in load_corpus(path, languages, split).sections}


def refusal(path, languages=ALL, split=None):
    with pytest.raises(InputError) as error:
        load_corpus(path, languages, split)
    assert error.value.hint
    return error.value.message


@pytest.mark.parametrize(
    "names", [("eng", "fra", "wol"), ("eng_Latn", "fra_Latn", "wol_Latn"), ("en", "fra", "wol_Latn")]
)
def test_flores_files_are_found_under_every_code(write, names):
    for split in ("dev", "devtest"):
        write({f"{split}/{name}.{split}": text for name, text in zip(names, (EN, FR, WO), strict=True)})
    folder = write({"metadata_dev.tsv": "URL\tdomain\nx\ty\n", "README": "about\n"})
    assert sections(folder, split="devtest") == {"devtest": TEXT}


@pytest.mark.parametrize("extension", ["", ".txt", ".clean.txt"])
def test_a_folder_of_line_aligned_files_is_one_section(write, extension):
    folder = write(
        {f"en{extension}": EN, f"fr{extension}": FR, f"wol{extension}": WO, "README.md": "about\n"}
    )
    assert sections(folder) == {folder.name: TEXT}


def test_the_files_of_ntrex_are_found_and_their_test_set_is_a_split(write):
    names = {
        "newstest2019-src.eng.txt": EN,
        "newstest2019-ref.fra.txt": FR,
        "newstest2019-ref.wol.txt": WO,
        "newstest2019-ref.eng-GB.txt": FR,
        "newstest2019-ref-2.wol.txt": FR,
    }
    crlf = {f"NTREX-128/{name}": text.replace("\n", "\r\n") for name, text in names.items()}
    folder = write({**crlf, "LANGUAGES.tsv": "wol\tWolof\n", "NTREX-128/DOCUMENT_IDS.tsv": "x\n"})
    assert sections(folder) == sections(folder / "NTREX-128") == {"NTREX-128": TEXT}
    assert sections(folder, split="newstest2019") == {"NTREX-128": TEXT}
    names = {
        "newstest2019-src.eng.txt": EN,
        "newstest2019-ref.zho-CN.txt": FR,
        "newstest2019-ref.arb.txt": WO,
    }
    write({f"more/{name}": text for name, text in names.items()})
    assert set(sections(folder / "more", ("en", "zh", "ar"))["more"]) == {"en", "zh", "ar"}


def test_a_variety_is_not_taken_for_another(write):
    folder = write({"newstest2019-src.eng.txt": EN, "newstest2019-ref.fuc.txt": FR})
    with pytest.raises(InputError, match="no text for ff.*it holds eng, fuc") as error:
        load_corpus(folder, ("en", "ff"))
    assert "'fuc' is Pulaar, another variety" in error.value.hint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("en.txt", "eng.txt"),
        ("en.txt", "en.txt.gz"),
        ("train.en", "train.eng_Latn"),
        ("en.dev", "eng_Latn.dev"),
    ],
)
def test_two_files_of_one_language_are_refused_by_name(write, first, second):
    other = first.replace("en", "fr") if first != "dev.en" else "dev.fr"
    packed = gzip.compress(EN.encode()) if second.endswith(".gz") else EN
    folder = write({first: WO, second: packed, other: FR})
    for languages in (("en", "fr"), None):
        with pytest.raises(InputError) as error:
            find_sections(folder, languages, None)
        assert "two texts for language 'en'" in error.value.message
        assert str(folder / first) in error.value.message and str(folder / second) in error.value.message


def test_two_columns_of_one_language_are_refused_by_name(write):
    for header in ("en\teng\tfr", "eng\ten\tfr"):
        folder = write({"train.tsv": f"{header}\na\tb\tc\n"})
        assert "column 'en'" in refusal(folder) and "column 'eng'" in refusal(folder)


PAIR = {"en": ["a", "b"], "fr": ["c", "d"]}
NAMED_BY_USE = {
    "moses": ["train.en", "train.fr"],
    "moses with words between": ["train.clean.en", "train.clean.fr"],
    "moses of any stem": ["Europarl.en", "Europarl.fr"],
    "pair folder": ["en-fr/train.en", "en-fr/train.fr"],
    "corpus and pair": ["corpus.en-fr.en", "corpus.en-fr.fr"],
    "scripts in the pair": ["train.en-fr_Latn.en", "train.en-fr_Latn.fr_Latn"],
    "FLORES+": ["train/train.eng_Latn", "train/train.fra_Latn"],
    "IndicTrans2": ["train/eng_Latn-fra_Latn/train.eng_Latn", "train/eng_Latn-fra_Latn/train.fra_Latn"],
    "FLORES": ["train/eng.train", "train/fra.train"],
    "OPUS-100": ["en-fr/opus.en-fr-train.en", "en-fr/opus.en-fr-train.fr"],
    "OPUS with regions": ["Books.en_GB-pt_br.en_GB", "Books.en_GB-pt_br.pt_br"],
    "pair before the split": ["en-fr.train.en", "en-fr.train.fr"],
    "upper case": ["EN.txt", "FR.txt"],
    "a suffix in upper case": ["en.TXT", "fr.txt"],
    "a suffix in upper case, language last": ["train.en.TXT", "train.fr.Txt"],
    "NTREX-128 in upper case": ["newstest2019-ref.eng.TXT", "newstest2019-src.fra.TXT"],
    "a corpus and a split": ["corpus.train.tok.en", "corpus.train.tok.fr"],
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", NAMED_BY_USE.values(), ids=NAMED_BY_USE)
def test_common_names_are_read_plain_and_packed(write, names, packed):
    texts = dict(zip(names, (EN, FR), strict=True))
    if packed:
        texts = {f"{name}.gz": gzip.compress(text.encode()) for name, text in texts.items()}
    folder = write(texts)
    second = next((code for code in ("fr_Latn", "pt_br") if names[1].endswith(code)), "fr")
    languages = ("en", second)
    for asked in (languages, None):
        (section,) = find_sections(folder, asked, None)
        assert list(section.read().values()) == list(PAIR.values())
    if "train" in names[0]:
        assert find_splits(folder) == ["train"]
        assert len(find_sections(folder, languages, "train")) == 1


def test_splits_beside_each_other_are_told_by_what_stands_before_the_language(write):
    folder = write({f"{split}.{code}": EN for split in ("train", "dev", "test") for code in ("en", "fr")})
    assert find_splits(folder) == ["train", "dev", "test"]
    assert [path.name for path in find_sections(folder, None, "dev")[0].files.values()] == [
        "dev.en",
        "dev.fr",
    ]


def test_hyphens_inside_a_code_do_not_hide_the_pair(write):
    folder = write({"train.en-zh-Hans.en": EN, "train.en-zh-Hans.zh-Hans": FR})
    assert sections(folder, ("en", "zh")) == {"train.en-zh-Hans": {"en": ["a", "b"], "zh": ["c", "d"]}}


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl"])
def test_packed_tables_are_read(write, suffix):
    rows = {"tsv": "en\tfr\na\tc\nb\td\n", "csv": "en;fr\na;c\nb;d\n"}
    rows["jsonl"] = '{"translation": {"en": "a", "fr": "c"}}\n{"translation": {"en": "b", "fr": "d"}}\n'
    folder = write({f"train.{suffix}.gz": gzip.compress(rows[suffix].encode())})
    assert sections(folder, ("en", "fr")) == {"train": PAIR}
    assert sections(folder / f"train.{suffix}.gz", ("en", "fr"), "train") == {"train": PAIR}


def test_a_gzip_file_that_was_cut_off_is_refused(write):
    folder = write(
        {"en.txt.gz": gzip.compress(EN.encode() * 99)[:-9], "fr.txt.gz": gzip.compress(FR.encode())}
    )
    assert f"{folder / 'en.txt.gz'} is not a complete gzip file" in refusal(folder, ("en", "fr"))


@pytest.mark.parametrize(
    ("name", "content", "found", "hint"),
    [
        ("train.tmx", "<tmx/>", "(.tmx)", "train.tsv"),
        ("train.parquet", "PAR1", "(.parquet)", "train.jsonl"),
        ("train.json", "[]", "in train.json they are nothing", '{"en": "Hello."'),
        (
            "train.jsonl",
            '{"src": "a", "tgt": "b"}\n',
            "in train.jsonl they are 'src', 'tgt'",
            '{"en": "Hello."',
        ),
        ("en_train.txt", "a\n", "the language code in en_train.txt is not separated by a dot", "train.en"),
        ("en-fr.txt", "a\tb\n", "en-fr.txt seems to hold two languages", "en-fr.tsv, with a line en<tab>fr"),
        ("english.txt", "a\n", "contain no language code", "train.en and train.fr"),
        ("eng_Latn.csv", "id,text\n1,a\n", "is a table of one language", "lines of eng_Latn.txt"),
        ("train.tsv", "A cat.\tUn chat.\n", "it is 'A cat.', 'Un chat.'", "en, fr"),
        ("train.src", "a\n", "the name of train.src contains no language code", "train.en"),
    ],
)
def test_what_is_not_read_is_told_the_nearest_layout(write, name, content, found, hint):
    folder = write({name: content})
    for path in (folder, folder / name):
        with pytest.raises(InputError) as error:
            load_corpus(path, ("en", "fr"))
        assert found in error.value.message
        assert hint in error.value.hint


def test_a_folder_of_folders_is_several_sections_that_need_not_have_every_language(write):
    folder = write(
        {
            "bible/en.txt": EN,
            "bible/wo.txt": WO,
            "bible/keys.txt": "1\n",
            "news/en.txt": EN,
            "news/fr.txt": FR,
        }
    )
    write({"odia/en.txt": EN, "odia/or.txt": EN, "README": "about\n"})
    assert sections(folder) == {
        "bible": {"en": ["a", "b"], "wo": ["", "e"]},
        "news": {"en": ["a", "b"], "fr": ["c", "d"]},
    }


def test_a_split_folder_may_hold_sections(write):
    folder = write(
        {"train/news/en.txt": EN, "train/news/fr.txt": FR, "test/news/en.txt": EN, "test/news/fr.txt": FR}
    )
    assert list(sections(folder, ("en", "fr"), "train")) == ["news"]


def test_sections_may_hold_the_splits(write):
    folder = write(
        {
            "bible/dev/en.txt": EN,
            "bible/dev/wo.txt": WO,
            "bible/test/en.txt": "x\n",
            "bible/test/wo.txt": "y\n",
            "news/dev.tsv": "en\tfr\na\tc\nb\td\n",
            "mails/dev.en-fr.en": EN,
            "mails/dev.en-fr.fr": FR,
            "notes/notes.txt": "x\n",
        }
    )
    assert sections(folder, split="dev") == {
        "bible": {"en": ["a", "b"], "wo": ["", "e"]},
        "mails/dev.en-fr": {"en": ["a", "b"], "fr": ["c", "d"]},
        "news": {"en": ["a", "b"], "fr": ["c", "d"]},
    }
    assert refusal(folder) == f"{folder} has the splits dev, test"
    assert refusal(folder, split="train") == (
        f"{folder} has no split 'train'; it holds bible, mails, news, notes"
    )


def test_sections_that_hold_one_split_are_read_without_naming_it(write):
    folder = write({"bible/dev/en.txt": EN, "bible/dev/fr.txt": FR})
    assert list(sections(folder, ("en", "fr"))) == ["bible/dev"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.tsv", "eng\tfr\two\na\tc\t\nb\td\te\n"),
        ("train.csv", "eng,fr,wo\na,c,\nb,d,e\n"),
        ("train.jsonl", '{"en": "a", "fr": "c"}\n{"en": "b", "fr": "d", "wo": "e"}\n'),
    ],
)
def test_a_table_is_found_by_name_by_split_and_in_a_folder_of_its_own(write, name, content):
    folder = write({name: content, f"only/{name}": content, "test.tsv": "en\tfr\nx\ty\n"})
    for path, split in (
        (folder / name, None),
        (folder / name, "train"),
        (folder, "train"),
        (folder / "only", None),
    ):
        assert sections(path, split=split) == {"train": TEXT}


def test_several_tables_are_several_sections(write):
    folder = write(
        {"bible.tsv": "en\two\na\tb\n", "data/news.jsonl": "unused", "news.jsonl": '{"en": "a", "fr": "c"}\n'}
    )
    assert sections(folder) == {"bible": {"en": ["a"], "wo": ["b"]}, "news": {"en": ["a"], "fr": ["c"]}}


def test_bitext_is_a_section_per_pair_of_uneven_sizes(write):
    folder = write(
        {
            "en-wo.en": "x\n",
            "en-wo.wo": "y\n",
            "fra-eng.fra": FR,
            "fra-eng.eng": EN,
            "en-or.en": EN,
            "en-or.or": FR,
        }
    )
    assert sections(folder) == {
        "en-wo": {"en": ["x"], "wo": ["y"]},
        "fra-eng": {"en": ["a", "b"], "fr": ["c", "d"]},
    }


def test_bitext_may_carry_its_split_or_its_source_before_the_pair(write):
    folder = write(
        {f"{split}.en-fr.{side}": f"{split}\n" for split in ("train", "test") for side in ("en", "fr")}
    )
    assert sections(folder, ("en", "fr"), "test") == {"test.en-fr": {"en": ["test"], "fr": ["test"]}}
    opus = write(
        {
            "opus/Books.en-fr.en": EN,
            "opus/Books.en-fr.fr": FR,
            "opus/Tatoeba.en-fr.en": EN,
            "opus/Tatoeba.en-fr.fr": FR,
        }
    )
    assert list(sections(opus / "opus", ("en", "fr"))) == ["Books.en-fr", "Tatoeba.en-fr"]


def test_an_extension_can_be_the_split(write):
    folder = write({"en.dev": EN, "fr.dev": FR, "en.test": "x\n", "fr.test": "y\n"})
    assert sections(folder, ("en", "fr"), "dev")[folder.name]["en"] == ["a", "b"]


def test_a_split_must_be_chosen_where_there_are_several(write):
    folder = write(
        {"dev/eng.dev": EN, "dev/fra.dev": FR, "devtest/eng.devtest": EN, "devtest/fra.devtest": FR}
    )
    assert refusal(folder) == f"{folder} has the splits dev, devtest"
    assert sections(folder / "dev", ("en", "fr"))["dev"]["fr"] == ["c", "d"]


def test_a_split_that_is_not_there_is_refused_with_what_is(write):
    folder = write({"dev/eng.dev": EN, "dev/fra.dev": FR, "notes.txt": "x"})
    assert refusal(folder, split="train") == f"{folder} has no split 'train'; it holds dev, notes.txt"
    table = write({"all.tsv": "en\tfr\na\tb\n"}) / "all.tsv"
    assert refusal(table, split="train") == f"{table} is one file and has no split 'train'"


def test_a_missing_folder_and_an_empty_one_are_told_apart(tmp_path):
    assert refusal(tmp_path / "none") == f"no data folder at {tmp_path / 'none'}"
    assert refusal(tmp_path, ("en", "fr")) == (
        f"{tmp_path} has no text for en, fr: "
        "tried the names eng, eng_Latn, en, fra, fra_Latn, fr; it holds nothing"
    )


def test_a_language_found_nowhere_is_refused_with_what_was_tried_and_what_is_there(write):
    folder = write({"dev/eng.dev": EN, "dev/fra.dev": FR})
    assert refusal(folder, ("en", "wo"), "dev") == (
        f"{folder} has no text for wo: tried the names wol, wol_Latn, wo; it holds eng, fra"
    )
    folder = write({"tables/t.tsv": "en\tfr\na\tb\n"}) / "tables"
    assert refusal(folder).endswith("tried the names wol, wol_Latn, wo; it holds en, fr")
    with pytest.raises(InputError) as error:
        load_corpus(folder, ("de", "en", "fr", "wo"))
    assert error.value.hint.endswith("or leave these languages out: --langs en,fr")


def test_a_language_without_a_sentence_beside_another_is_refused(write):
    folder = write({"bible/en.txt": EN, "bible/fr.txt": FR, "odia/or.txt": EN})
    expected = f"no sentence of 'or' in {folder} has a translation in the other languages requested"
    assert refusal(folder, ("en", "fr", "or")) == expected
    write({"odia/en.txt": EN, "odia/or.txt": "\n\n"})
    assert refusal(folder, ("en", "fr", "or")) == expected


def test_line_aligned_files_share_one_extension(write):
    folder = write({"en.txt": EN, "fr.tok": FR})
    assert refusal(folder) == f"{folder} has line-aligned files with different extensions: en.txt, fr.tok"


def test_half_a_bitext_is_refused(write):
    folder = write({"train.en-wo.en": EN})
    assert refusal(folder, ("en", "wo")) == f"{folder / 'train.en-wo.en'} has no counterpart train.en-wo.wo"


def test_unequal_line_counts_are_refused_by_section(write):
    folder = write({"news/en.txt": EN, "news/fr.txt": "c\n"})
    message = refusal(folder, ("en", "fr"))
    assert message == f"{folder / 'news/en.txt'} has 2 lines, {folder / 'news/fr.txt'} has 1"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (b"c\n", " has 2 lines, .* has 1"),
        (b"c\nd\nd\n", " has 2 lines, .* has 3"),
        (b"c\n\xe9\n", " is not UTF-8: line 2"),
        (b"", " is empty"),
    ],
)
@pytest.mark.parametrize(
    ("en", "fr"),
    [
        ("dev/eng.dev", "dev/fra.dev"),
        ("dev/eng_Latn.dev", "dev/fra_Latn.dev"),
        ("dev/newstest2019-src.eng.txt", "dev/newstest2019-ref.fra.txt"),
        ("dev/en.txt", "dev/fr.txt"),
        ("en.dev", "fr.dev"),
        ("dev.en-fr.en", "dev.en-fr.fr"),
        ("bible/dev/en.txt", "bible/dev/fr.txt"),
    ],
)
def test_a_damaged_file_is_refused_by_name_in_every_layout(write, en, fr, damage, complaint):
    folder = write({en: EN, fr: damage})
    with pytest.raises(InputError, match=f"{fr}{complaint}" if "lines" not in complaint else complaint):
        load_corpus(folder, ("en", "fr"), "dev")


def test_every_language_that_is_there_is_found_where_none_is_named(write):
    folder = write(
        {
            "dev/eng.dev": EN,
            "dev/zho_simpl.dev": FR,
            "dev/xyz.dev": FR,
            "dev/run.sh": "x\n",
            "dev/README": "x\n",
            "t.tsv": "id\ten\tfr\tkeys\n1\ta\tb\tc\n",
        }
    )
    (section,) = find_sections(folder, None, "dev")
    assert section.files == {
        "en": folder / "dev/eng.dev",
        "xyz": folder / "dev/xyz.dev",
        "zh": folder / "dev/zho_simpl.dev",
    }
    (table,) = find_sections(folder / "t.tsv", None, None)
    assert table.read() == {"en": ["a"], "fr": ["b"]}


def test_the_splits_of_a_folder_are_named_in_their_usual_order(write):
    folder = write(
        {"devtest/eng.devtest": EN, "dev/eng.dev": EN, "other/en.txt": EN, "train.tsv": "en\tfr\n"}
    )
    assert find_splits(folder) == ["train", "dev", "devtest"]
    assert find_splits(folder / "dev") == ["dev"]
    assert find_splits(folder / "other") == find_splits(folder / "train.tsv") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"train.tsv": "en\tfr\na\tb\n"}, {"train.jsonl": '{"en": "a", "fr": "b"}\n'}),
        ({"train.en": EN, "train.fr": FR}, {"train/en.txt": EN, "train/fr.txt": FR}),
        ({"train.en": EN, "train.fr": FR}, {"train.csv": "en,fr\na,b\n"}),
    ],
)
def test_two_texts_of_one_split_are_refused_by_name(write, one, other):
    folder = write({**one, **other})
    assert "two texts for split 'train'" in refusal(folder, ("en", "fr"), "train")


def test_a_table_that_describes_the_text_of_a_split_is_not_another_text_of_it(write):
    folder = write({"test.en": EN, "test.fr": FR, "test.tsv": "doc\turl\na\tb\n"})
    assert sections(folder, ("en", "fr"), "test")[folder.name] == PAIR


@pytest.mark.parametrize("content", ['[{"en": "a", "fr": "c"}, {"en": "b", "fr": "d"}]', None])
def test_json_may_be_a_list_or_an_object_per_line(write, content):
    lines = '{"translation": {"en": "a", "fr": "c"}}\n{"translation": {"en": "b", "fr": "d"}}\n'
    folder = write({"train.json": content or lines, "dataset_info.json": '{\n "splits": 1\n}\n'})
    assert sections(folder, ("en", "fr"), "train") == {"train": PAIR}


def test_what_opus_puts_beside_its_text_is_left_alone(write):
    names = ["OpenSubtitles.en-zh_cn.en", "OpenSubtitles.en-zh_cn.zh_cn", "OpenSubtitles.en-zh_cn.ids"]
    folder = write({**dict.fromkeys(names, EN), "README": "about\n", "LICENSE": "free\n"})
    found = find_sections(folder, None, None)
    assert [list(section.files) for section in found if section.files] == [["en", "zh"]]


def test_a_folder_per_language_is_told_the_rename(write):
    folder = write({"en/train.txt": EN, "fr/train.txt": FR})
    with pytest.raises(InputError, match="each language has its own folder: en, fr") as error:
        load_corpus(folder, ("en", "fr"))
    assert "as in train.en" in error.value.hint


@pytest.mark.parametrize(
    "names",
    [
        ("train.en.txt", "train.fr.txt"),
        ("corpus.train.en.txt", "corpus.train.fr.txt"),
        ("Europarl.eng_Latn.txt", "Europarl.fra_Latn.txt"),
        ("train/bible.en.txt", "train/bible.fr.txt"),
        ("train.en-fr.en.txt", "train.en-fr.fr.txt"),
        ("train.en", "train.fr.txt"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_txt_after_the_language_is_no_part_of_a_name(write, names, packed):
    texts = dict(zip(names, (EN, FR), strict=True))
    if packed:
        texts = {f"{name}.gz": gzip.compress(text.encode()) for name, text in texts.items()}
    folder = write(texts)
    for asked in (("en", "fr"), None):
        (section,) = find_sections(folder, asked, None)
        assert section.read() == PAIR
    assert find_splits(folder) == (["train"] if "train" in names[0] else [])


def test_names_with_txt_after_the_language_are_read_where_there_is_no_other_text(write):
    about = write({f"README.{code}.txt": text for code, text in (("en", EN), ("fr", FR))})
    assert sections(about, ("en", "fr")) == {about.name: PAIR}
    for number, (files, split) in enumerate(
        [
            (("en.txt", "fr.txt"), None),
            (("train.en", "train.fr"), "train"),
            (("train/en", "train/fr"), "train"),
            (("bible/en.txt", "bible/fr.txt"), None),
            (("text.tsv",), None),
        ]
    ):
        texts = ("en\tfr\na\tc\nb\td\n",) if files == ("text.tsv",) else (EN, FR)
        write({f"{number}/{name}": text for name, text in zip(files, texts, strict=True)})
        write({f"{number}/README.{code}.txt": WO for code in ("en", "fr")})
        if split:
            write({f"{number}/train.{code}.txt": WO for code in ("en", "fr")})
        for asked in (("en", "fr"), None):
            assert [each.read() for each in find_sections(about / str(number), asked, split)] == [PAIR]


def test_a_language_in_the_middle_of_a_name_is_told_the_rename(write):
    folder = write({"corpus.en.v2.txt": EN, "corpus.fr.v2.txt": FR})
    with pytest.raises(InputError, match="language code in corpus.en.v2.txt is neither at the beg") as error:
        load_corpus(folder, ("en", "fr"))
    assert "as in corpus.v2.en" in error.value.hint
    for code in ("en", "fr"):
        (folder / f"corpus.{code}.v2.txt").rename(folder / f"corpus.v2.{code}")
    assert sections(folder, ("en", "fr")) == {folder.name: PAIR}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.csv", "id,en,fr,wo\n1,a,c,\n2,b,d,\n"),
        ("train.json", '[{"id": "1", "en": "a", "fr": "c"}, {"id": "2", "en": "b", "fr": "d", "wo": ""}]'),
    ],
)
def test_row_numbers_are_not_taken_for_a_language_that_is_asked_for(write, name, content):
    folder = write({name: content})
    (section,) = find_sections(folder, ALL, None)
    assert section.read() == {**PAIR, "wo": ["", ""]}  # a column of gaps is none of numbers
    assert refusal(folder, ("en", "fr", "id")) == (
        f"{folder / name}: 'id' is not text: no letter in any of its cells, such as '1'"
    )


ID = "satu\ndua\n"


@pytest.mark.parametrize(
    "name",
    [
        *("train.{}", "train.{}.gz", "train.{}.txt", "corpus.{}", "dev/dev.{}", "{}.dev", "{}.txt", "{}"),
        *("en-id.{}", "train.en-id.{}", "opus.en-id-train.{}"),
    ],
)
@pytest.mark.parametrize("languages", [None, ("en", "id"), ("eng", "ind")])
def test_a_file_whose_language_is_id_is_indonesian(tmp_path, name, languages):
    for code, text in (("en", EN), ("id", ID)):
        path = tmp_path / name.format(code)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    (section,) = find_sections(tmp_path, languages, None)
    assert [lines for _, lines in sorted(section.read().items())] == [["a", "b"], ["satu", "dua"]]
    splits = [split for split in ("train", "dev") if split in name]
    assert find_splits(tmp_path) == splits


@pytest.mark.parametrize("names", [("train.en", "train.fr", "train.id"), ("en.txt", "fr.txt", "id.txt")])
def test_a_file_of_row_numbers_is_no_language_and_refused_as_one(write, names):
    folder = write(dict(zip(names, (EN, FR, "1\n2\n"), strict=True)))
    for languages in (None, ("en", "fr")):
        (section,) = find_sections(folder, languages, None)
        assert section.read() == PAIR
    assert refusal(folder, ("en", "id")) == f"{folder / names[-1]} is not text: no letter in any of its lines"


@pytest.mark.parametrize("content", [b"", b"\xff\n\n", b"\n\n"])
def test_indonesian_that_cannot_be_read_is_no_row_numbers(write, tmp_path, content):
    folder = write({"train.en": EN})
    (folder / "train.id").write_bytes(content)
    for languages in (None, ("en", "id")):
        assert set(find_sections(folder, languages, None)[0].files) == {"en", "id"}


def test_two_texts_in_indonesian_are_refused(write):
    folder = write({"train.en": EN, "train.id": ID, "train.ind": ID})
    assert refusal(folder, ("en", "id")).startswith("two texts for language 'id': ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"en": "a", "fr": "b"},\n{"en": "c", "fr"', "is not complete JSON: line 2, column 17"),
        ('[\n{"en": "a", "fr": "b"}\n,]', "is not complete JSON: line 3, column 2"),
        ('{\n "en": ["a", "c"],\n "fr": ["b", "d"]\n}\n', "is one JSON object, not a list of them"),
    ],
)
def test_a_json_file_that_cannot_be_read_is_said_to_be_damaged(write, content, problem):
    folder = write({"train.json": content})
    for path in (folder, folder / "train.json"):
        with pytest.raises(InputError) as error:
            load_corpus(path, ["en", "fr"])
        assert "train.json" in error.value.message and problem in error.value.message


def test_a_table_called_as_a_split_is_not_that_of_a_language(write):
    with pytest.raises(InputError) as error:
        load_corpus(write({"dev.csv": "source,target\na,b\n"}), ["en", "fr"], "dev")
    assert "is a table of one language" not in error.value.message
    assert "in dev.csv it is 'source', 'target'" in error.value.message


@pytest.mark.parametrize("names", [("news", "bible"), ("train.tok", "train.bpe")])
def test_two_texts_of_files_with_the_language_last_are_called_so(write, names):
    files = {f"{name}.{code}": "a\nb\n" for name in names for code in ("en", "fr")}
    folder = write(files)
    with pytest.raises(InputError) as error:
        load_corpus(folder, ["en", "fr"], "train" if names[0] == "train.tok" else None)
    assert "has 2 texts: " in error.value.message
    assert all(f"{name}/train.en" in error.value.hint for name in names)


@pytest.mark.parametrize("names", [("train.CSV",), ("train.en.GZ", "train.fr.GZ")])
def test_suffixes_are_read_in_any_case(write, names):
    lines = {"CSV": b"en,fr\na,b\n", "en.GZ": gzip.compress(b"a\n"), "fr.GZ": gzip.compress(b"b\n")}
    folder = write({name: lines[name.removeprefix("train.")] for name in names})
    corpus = load_corpus(folder, ["en", "fr"], "train")
    assert corpus.sections[0].text == {"en": ["a"], "fr": ["b"]}
