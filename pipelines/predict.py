"""The `predict` stage: `python pipelines/predict.py key=value…` is `lightning-seq predict key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
