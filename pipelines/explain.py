"""The `explain` stage: `python pipelines/explain.py key=value…` is `lightning-seq explain key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["explain", *sys.argv[1:]]))
