"""The report: artifacts of experiments in, the paper's tables and figures as one document out."""

from lslo_cli.report.building import TABLES, Format, build, write
from lslo_cli.report.reading import read_studies

__all__ = ["TABLES", "Format", "build", "read_studies", "write"]
