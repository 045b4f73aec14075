"""The `status` stage: `python pipelines/status.py key=value…` is `lightning-seq status key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["status", *sys.argv[1:]]))
