"""The first rows of a set of the Hugging Face Hub that is too large to be fetched whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from lightning_seq.data.sources.hub import Hub, commit_of, endpoint, offline_by_choice, reachable, why_offline
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError, root_cause
from lightning_seq.files import Plain

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


@dataclass(frozen=True)
class HubStream(Hub[Loaded[PairTable]]):
    """A set of the Hub whose rows come one by one, of the train split no more than `columns.rows`.

    The rows are prepared and cached like any other data: the stream is opened once.
    """

    columns: PairColumns = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.columns.rows is None:
            raise UserError(
                "data.hub.stream=true without data.rows: expected how many rows of the train split are wanted"
            )

    def describe(self) -> str:
        return f"{self.id} (Hub, {self.columns.rows:,} rows)"

    def identity(self) -> Plain:
        return {**super().identity(), "stream": True}

    def load(self) -> Loaded[PairTable]:
        """Raises UserError at once without a network."""
        if offline_by_choice() or not reachable(endpoint()):
            raise UserError(
                f"no network to stream the Hub set {self.id} ({why_offline()}): for a machine without internet use "
                "data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), or an embedded set such as data=verses_modernise"
            )
        import datasets

        def first_rows(split: str, stream: IterableDataset) -> Dataset:
            rows = islice(stream, self.columns.rows if split == self.columns.splits["train"] else None)
            return datasets.Dataset.from_list(list(rows), features=stream.features)

        try:
            builder = datasets.load_dataset_builder(self.id, self.config, revision=self.revision)
            streams, splits = builder.as_streaming_dataset(), self.columns.own_splits.values()
            sets = {split: first_rows(split, streams[split]) for split in streams if split in splits}
            loaded = self.columns.read(sets, self.id, commit_of(builder))
        except UserError:
            raise
        except Exception as error:  # readers of YAML and of Parquet may raise any error on damaged files
            raise UserError(
                f"{self.id} cannot be streamed from the Hub ({root_cause(error)}): "
                "check data.hub.id, data.hub.config and data.hub.revision"
            ) from error
        loaded.notes.append(f"train: the first {self.columns.rows:,} rows of the stream, no others were read")
        return loaded
