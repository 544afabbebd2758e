"""``lslo base convert`` from the command line; the conversion itself is tested in tests/mt."""


def test_a_folder_without_the_files_ends_with_an_input_error(lslo, tmp_path):
    (tmp_path / "dict.txt").write_text("a 1\n")
    result = lslo("base", "convert", str(tmp_path), "--out", "model")
    assert result.exit_code == 3
    assert "no model.pt, sentencepiece.bpe.model in" in result.stderr and "hint:" in result.stderr
    assert not (tmp_path / "model").exists()


def test_an_unknown_number_format_is_a_usage_error(lslo, tmp_path):
    result = lslo("base", "convert", str(tmp_path), "--out", "model", "--dtype", "float3")
    assert result.exit_code == 2 and "float16" in result.stderr
