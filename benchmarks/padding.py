"""The share of padding in batches: `python benchmarks/padding.py data=imdb [data=trec …] [key=value …]`.

Every `data=` is measured with all the other words, for example data.batch_size=32; beside it stands what batches in
random order would cost.
"""

from __future__ import annotations

import sys

import numpy as np

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.data.bucket_sampler import BucketSampler, padding_share


def main(words: list[str]) -> None:
    chosen = [word for word in words if word.startswith("data=")] or ["data=verses_genre"]
    others = [word for word in words if not word.startswith("data=")]
    print(f"{'data':<20}{'sentences':>10}{'mean':>8}{'longest':>9}{'batch':>7}{'bucketed':>10}{'random':>9}")
    for choice in chosen:
        data = build_data(compose([choice, *others]))
        lengths = data.prepared.splits["train"].lengths
        sampler = BucketSampler(lengths, data.batch_size, data.seed)
        order = np.random.default_rng(data.seed).permutation(len(lengths))
        random = np.split(order, range(data.batch_size, len(order), data.batch_size))
        print(
            f"{choice.removeprefix('data='):<20}{len(lengths):>10,}{lengths.mean():>8.1f}{lengths.max():>9,}"
            f"{data.batch_size:>7}{padding_share(lengths, sampler.global_batches(0)):>10.2%}"
            f"{padding_share(lengths, random):>9.2%}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
