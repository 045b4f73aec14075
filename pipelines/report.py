"""The `report` stage: `python pipelines/report.py key=value…` is `lightning-seq report key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
