"""The `answer` stage: `python pipelines/answer.py key=value…` is `lightning-seq answer key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["answer", *sys.argv[1:]]))
