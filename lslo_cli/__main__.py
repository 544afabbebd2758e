"""The door of the command line: ``lslo``, or ``python -m lslo_cli`` where another program starts Python."""

import signal


def main() -> None:
    """Run the command line.

    Until it listens to signals, which takes a second of loading, Ctrl-C ends the process as it ends most
    programs: at once and without a word. Where the parent has it ignored it stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lslo_cli.cli.app import app

    app()


if __name__ == "__main__":
    main()
