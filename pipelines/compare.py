"""The `compare` stage: `python pipelines/compare.py key=value…` is `lightning-seq compare key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
