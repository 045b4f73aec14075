"""The `caption` stage: `python pipelines/caption.py key=value…` is `lightning-seq caption key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["caption", *sys.argv[1:]]))
