"""`python -m lightning_seq`: the `lightning-seq` command."""

from lightning_seq.cli.main import entry

if __name__ == "__main__":
    entry()
