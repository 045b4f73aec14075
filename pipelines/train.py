"""The `train` stage: `python pipelines/train.py key=value…` is `lightning-seq train key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
