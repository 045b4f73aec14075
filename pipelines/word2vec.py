"""The `word2vec` stage: `python pipelines/word2vec.py key=value…` is `lightning-seq word2vec key=value…`."""

import sys

from lightning_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["word2vec", *sys.argv[1:]]))
