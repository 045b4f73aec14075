"""The `forecast` stage: `python pipelines/forecast.py key=value…` is `lightning-seq forecast key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["forecast", *sys.argv[1:]]))
