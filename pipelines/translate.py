"""The `translate` stage: `python pipelines/translate.py key=value…` is `lightning-seq translate key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["translate", *sys.argv[1:]]))
