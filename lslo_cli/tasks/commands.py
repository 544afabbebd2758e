"""Every command by its name; importing this imports torch."""

from lslo_cli.tasks.compare import compare
from lslo_cli.tasks.diff import diff
from lslo_cli.tasks.estimate_subspace import estimate_subspace
from lslo_cli.tasks.evaluate import evaluate, evaluate_run
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.plan import Plan, evaluation_plan, plan
from lslo_cli.tasks.prune_report import prune_report
from lslo_cli.tasks.train import train
from lslo_cli.tasks.train_base import train_base
from lslo_cli.tasks.translate import Translator, open_translator, translate
from lslo_cli.tasks.weight_learn import weight_learn

__all__ = [
    "Experiment",
    "Plan",
    "Translator",
    "Written",
    "compare",
    "diff",
    "estimate_subspace",
    "evaluate",
    "evaluate_run",
    "evaluation_plan",
    "open_translator",
    "plan",
    "prune_report",
    "train",
    "train_base",
    "translate",
    "weight_learn",
]
