"""From a recipe to artifacts: reads what a stage needs, runs it, writes what it found. Prints nothing."""

from lslo_cli.pipeline.choices import Chosen, choose_index, choose_ranks, run_name
from lslo_cli.pipeline.evaluation import evaluate
from lslo_cli.pipeline.experiment import Experiment, Written
from lslo_cli.pipeline.planning import plan
from lslo_cli.pipeline.report import prune_report
from lslo_cli.pipeline.training import estimate_subspace, train, train_base, weight_learn
from lslo_cli.pipeline.translation import Translator, open_translator, translate
from lslo_cli.plan import Plan

__all__ = [
    "Chosen",
    "Experiment",
    "Plan",
    "Translator",
    "Written",
    "choose_index",
    "choose_ranks",
    "estimate_subspace",
    "evaluate",
    "open_translator",
    "plan",
    "prune_report",
    "run_name",
    "train",
    "train_base",
    "translate",
    "weight_learn",
]
