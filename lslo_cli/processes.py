"""How worker processes are started."""

from __future__ import annotations

import sys
from multiprocessing import get_context
from multiprocessing.context import BaseContext

HEAVY = ["torch", "transformers.modeling_utils"]
"""What takes seconds to import."""


def context() -> BaseContext:
    """The context of worker processes, which are no forks of this one: torch's threads would not survive.

    On Linux they are forks of a server that has imported what is heavy, once for all of them; elsewhere each
    starts anew. They import the main module, so scripts need Python's ``if __name__ == "__main__"``.
    """
    if sys.platform != "linux":
        return get_context("spawn")
    server = get_context("forkserver")
    server.set_forkserver_preload(HEAVY)
    return server
