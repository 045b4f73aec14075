"""The `transcribe` stage: `python pipelines/transcribe.py key=value…` is `lightning-seq transcribe key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["transcribe", *sys.argv[1:]]))
