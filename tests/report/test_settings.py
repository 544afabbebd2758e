from lslo_cli.artifacts.results import EpochRecord, PrunedTable, SubspaceResult
from lslo_cli.method.importance import Pool
from lslo_cli.report.reading import read_studies
from lslo_cli.report.settings import settings_table


def estimate(pool):
    history = [EpochRecord(epoch=number, loss=1.0, updates=1, tokens=1) for number in range(1, 9)]
    return SubspaceResult(
        pool=pool, rank=8, target_ratio=0.7, pruned=PrunedTable(rows=[]), scores={}, mean_rank=4.0, ranks={},
        history=history,
    )  # fmt: skip


def test_table_7_has_the_settings_that_were_used_beside_the_printed_ones(written, tmp_path):
    experiment = written(tmp_path)
    experiment.write("subspace.json", estimate(Pool.LAYER))
    for ratio in (0.5, 0.9):
        experiment.training(f"2-2-8-gps{ratio}", target_ratio=ratio)
    experiment.training("2-2-8-gps0.9-E5-k8", start_epoch=5)  # a row of table 8
    (study,) = read_studies([tmp_path])
    table = settings_table(study)
    assert table.text_rows() == [
        ["ISE", "ours", "0.7", "2", "8", "8"],
        ["ISE", "paper", "0.7", "2", "8", "15"],
        ["LSP", "not run", "-", "-", "-", "-"],
        ["LSP", "paper", "0.7", "2", "8", "15"],
        ["LSLo", "ours", "{0.5, 0.9}", "2", "8", "2"],
        ["LSLo", "paper", "{0.1, 0.3, 0.5, 0.7, 0.9}", "2", "8", "15"],
    ]
    assert "commit c0ffeec" in table.notes[0]
