"""The first rows of a set of the Hugging Face Hub that is too large to be fetched whole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from lightning_seq.data.sources.hub import Hub, commit_of, endpoint, offline_by_choice, reachable
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import Plain


@dataclass(frozen=True)
class HubStream:
    """Rows that come one by one over the network, of the train split no more than `columns.rows`.

    id, config, revision: as of `Hub`.

    What was read is prepared and kept like any other data: the stream is opened once.
    """

    id: str
    config: str | None
    revision: str | None
    columns: PairColumns

    def __post_init__(self) -> None:
        if self.columns.rows is None:
            raise UserError(
                "data.hub.stream=true without data.rows: expected how many rows of the train split are wanted"
            )

    def describe(self) -> str:
        return f"{self.id} (Hub, {self.columns.rows:,} rows)"

    def identity(self) -> Plain:
        return {**Hub(self.id, self.config, self.revision, self.columns).identity(), "stream": True}

    def origins(self) -> dict[str, str]:
        return origins(self.columns.splits)

    def load(self) -> Loaded[PairTable]:
        """Raises UserError at once without a network."""
        if offline_by_choice() or not reachable(endpoint()):
            why = "HF_HUB_OFFLINE is set" if offline_by_choice() else f"{endpoint()} does not answer"
            raise UserError(
                f"no network to stream the Hub set {self.id} ({why}): for a machine without internet use "
                "data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), or an embedded set such as data=verses_modernise"
            )
        import datasets
        from huggingface_hub.errors import HfHubHTTPError

        try:
            builder = datasets.load_dataset_builder(self.id, self.config, revision=self.revision)
            streams = builder.as_streaming_dataset()
            sets = {split: self._taken(streams[split], split) for split in streams if split in self._wanted()}
            loaded = self.columns.read(sets, self.id, commit_of(builder))
        except UserError:
            raise
        except (OSError, ValueError, RuntimeError, HfHubHTTPError) as error:
            said = first_line(error)
            raise UserError(
                f"{self.id} cannot be streamed from the Hub ({said}): "
                "check data.hub.id, data.hub.config and data.hub.revision"
            ) from error
        loaded.notes.append(f"train: the first {self.columns.rows:,} rows of the stream, no others were read")
        return loaded

    def _wanted(self) -> set[str]:
        return {name for name in self.columns.splits.values() if name}

    def _taken(self, stream: Any, split: str) -> Any:
        import datasets

        rows = islice(stream, self.columns.rows if split == self.columns.splits["train"] else None)
        return datasets.Dataset.from_list(list(rows), features=stream.features)
