"""The entry point of the command line: ``lslo``, or ``python -m lslo_cli``."""

import signal


def main() -> None:
    """Run the command line.

    During the first second, of imports, Ctrl-C ends the process at once and silently, as in most programs.
    If the parent process ignores Ctrl-C, it stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lslo_cli.cli.app import app

    app()


if __name__ == "__main__":
    main()
