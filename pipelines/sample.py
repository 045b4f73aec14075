"""The `sample` stage: `python pipelines/sample.py key=value…` is `lightning-seq sample key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["sample", *sys.argv[1:]]))
