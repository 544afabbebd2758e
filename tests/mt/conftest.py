import os
from pathlib import Path

import pytest

from lslo_cli.method.languages import LANG30


class Words:
    """A tokenizer in the scheme of M2M-124 whose pieces are words, numbered as they come."""

    pad_id, eos_id, unk_id = 1, 2, 3
    output_size = 10_000

    def __init__(self, languages):
        self._languages = {code: 4 + index for index, code in enumerate(languages)}
        self._words = {}
        self.encoded = []

    def language_id(self, code):
        return self._languages[code]

    def encode(self, text):
        self.encoded.append(text)
        return [self._words.setdefault(word, 100 + len(self._words)) for word in text.split()]

    def decode(self, ids):
        words = {index: word for word, index in self._words.items()}
        return " ".join(words[int(index)] for index in ids if int(index) in words)

    def source_ids(self, pieces, src, tgt):
        return [self.language_id(src), *pieces, self.eos_id]

    def target_ids(self, pieces, src, tgt):
        return [self.language_id(tgt), *pieces, self.eos_id]

    def decoder_prompt(self, src, tgt):
        return [self.eos_id, self.language_id(tgt)]


@pytest.fixture
def words():
    return Words(LANG30)


@pytest.fixture
def write(tmp_path):
    """Write files below tmp_path, {name: text or bytes}, byte for byte; gives tmp_path."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return tmp_path

    return write


@pytest.fixture(scope="session")
def flores():
    """The FLORES-101 folder; skips where it is not on this machine."""
    shared = Path(os.environ.get("LSLO_SHARED_DATA") or Path(__file__).parents[3] / "shared/data")
    if not (shared / "flores101/dev/eng.dev").is_file():
        pytest.skip(f"no FLORES-101 in {shared}: set LSLO_SHARED_DATA")
    return shared / "flores101"
