"""Runs are killed, disks are damaged: nothing may be lost, repeated or silently wrong. `make torture`."""

import signal


def hear_signals() -> None:
    """What this process was started to ignore (`nohup`, a shell's `&`) is heard again, here and in what it starts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
