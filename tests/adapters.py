"""Settings of adapters for tests that need any: as the paper's text has them."""

from lslo_cli.method.adapters import AdapterKernel, AdapterSettings, Initialisation, Span
from lslo_cli.method.sites import SiteSet

ADAPTERS = AdapterSettings(SiteSet.ALL, AdapterKernel.AUTO, Initialisation.GAUSSIAN, Span.ALL)
