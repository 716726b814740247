"""`python -m nmt_attn`, and what the command `nmt-attn` starts: signals are caught before anything else is imported."""

import os

from nmt_attn.interruption import catch_signals, end_interrupted, ignore_signals, received, say_received


def main() -> None:
    """Runs the command line (nmt_attn/cli.py)."""
    catch_signals()
    try:
        from nmt_attn.cli import main as run

        run()
    except SystemExit:
        raise  # all has been said
    except BaseException:
        if received() is None:
            raise
        end_interrupted()
    finally:
        ignore_signals()
        if (number := received()) is not None:
            say_received(number)
            os._exit(128 + number)  # Python's own end would take an interrupted import for the death by a signal


if __name__ == "__main__":
    main()
