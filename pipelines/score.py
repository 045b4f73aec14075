"""The `score` stage: `python pipelines/score.py key=value…` is `lightning-seq score key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
