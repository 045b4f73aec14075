"""The `check` stage: `python pipelines/check.py key=value…` is `lightning-seq check key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["check", *sys.argv[1:]]))
