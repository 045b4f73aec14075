"""Killed runs and damaged disks: no result may be lost, repeated or silently wrong. `make torture`."""

import signal


def hear_signals() -> None:
    """Restore signals that this process was started to ignore (`nohup`, a shell's `&`), for it and its children."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
