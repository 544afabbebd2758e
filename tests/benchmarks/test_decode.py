import pytest

from benchmarks import decode


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_decoding_benchmark_compares_all_variants(dtype):
    rows = decode.run("tiny", "cpu", dtype, repeats=1)
    assert [row["variant"] for row in rows][:5] == [
        decode.OURS,
        "generate, mixed",
        "generate, by direction",
        decode.OURS_LSLO,
        "generate with LSLo 2;2;8, by direction",
    ]
    assert all(row["sentences per second"] > 0 for row in rows)
    if dtype == "float32":
        assert all(row["translations that differ"] == 0 for row in rows[:5])


def test_generate_with_other_tokens_is_an_error(monkeypatch):
    monkeypatch.setattr(decode, "ours", lambda model, route: lambda batch: [[7]] * len(batch))
    with pytest.raises(RuntimeError, match="are not those of ours"):
        decode.run("tiny", "cpu", "float32", repeats=1)
