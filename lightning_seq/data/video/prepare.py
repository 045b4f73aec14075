"""Clips as arrays on disk: one array of frames per split, and the clips as places in it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, write_meta
from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.pictures import channels_first, fitted
from lightning_seq.data.sources.clip_table import ClipSource, ClipTable
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.token_arrays import read_arrays, save_arrays
from lightning_seq.data.vectors.prepare import VectorSplit, group_notes
from lightning_seq.data.vectors.targets import TargetKind, target_kind
from lightning_seq.data.video.settings import VideoSettings
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
from lightning_seq.spec import Class, DataSpec, Grid, NextFrame, Tags, Targets

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True, kw_only=True)
class PreparedVideo(PreparedData[VectorSplit]):
    """Clips, ready for batches; `flat` of a split is `[frames, C, H, W]` uint8. spec: Grid to a kind of target."""

    settings: VideoSettings


def prepare_video(
    source: ClipSource, cache: Path | str, settings: VideoSettings, next_frame: bool = False
) -> PreparedVideo:
    """The source's clips as frames of one size, from the cache if they are complete there.

    next_frame: whether the frames themselves are the targets.

    Raises UserError for a mistake in the source, an empty split, a clip that cannot be read or that has one frame
    where the next is the target, and as `target_kind` does.
    """

    def read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> PreparedVideo:
        of_steps = bool(meta["of_steps"])

        def split_of(split: str) -> VectorSplit:
            names = ("starts", "stops", "ids", f"target{'_steps' * of_steps}")
            starts, stops, ids, targets = read_arrays(directory, split, *names)
            return VectorSplit(DiskRows(directory, f"{split}_frames"), starts, stops, ids, targets, of_steps)

        return PreparedVideo(
            settings=settings,
            spec=DataSpec.from_plain(meta["spec"]),
            splits={split: split_of(split) for split in SPLITS},
            **common,
        )

    identity = {
        "source": source.identity(), "video": settings.to_plain(), "next_frame": next_frame, "video_code": CODE_VERSION,
    }  # fmt: skip
    return prepared(source, cache, identity, partial(_build, settings=settings, next_frame=next_frame), read)


def _build(directory: Path, name: str, loaded: Loaded[ClipTable], settings: VideoSettings, next_frame: bool) -> None:
    tables, report = loaded.tables, list(loaded.notes)
    for split in SPLITS:
        if not len(tables[split]):
            raise empty_split(name, split, "one clip")
    kind = None if next_frame else target_kind(name, tables, loaded.classes)
    content, membership = hashlib.sha256(), hashlib.sha256()
    for split, table in tables.items():
        offsets, targets = _write(directory, split, table, settings, kind, name, content)
        for number, target in zip(table.ids, targets, strict=True):
            content.update(target.tobytes())
            membership.update(f"{split} {number} {hashlib.sha256(target.tobytes()).hexdigest()}\n".encode())
        save_names(directory, split, table)
        of_steps = kind is not None and kind.of_steps
        save_arrays(
            directory, split, starts=offsets[:-1], stops=offsets[1:], ids=np.array(table.ids, dtype=np.int64),
            **{f"target{'_steps' * of_steps}": np.concatenate(targets)},
        )  # fmt: skip
        if single := int((np.diff(offsets) == 1).sum()):
            report.append(f"{split}: {number_of(single, 'clip')} of one frame")
        if kind is not None and kind.kind is Tags and (missing := int((np.concatenate(targets) < 0).sum())):
            report.append(f"{split}: {number_of(missing, 'frame')} without a label: they do not count")
    report += [*group_notes({split: table.groups for split, table in tables.items()})]
    height_and_width = settings.height_and_width
    made: Targets = NextFrame(settings.channels, *height_and_width)
    if kind is not None:
        made = Class(kind.names) if kind.kind is Class else Tags(kind.names, scheme="none")
    spec = DataSpec(Grid(settings.channels, height_and_width), made)
    digests = {"content": content.hexdigest(), **settings.to_plain(), "spec": spec.to_plain()}
    meta = {
        "spec": spec.to_plain(),
        "of_steps": kind is not None and kind.of_steps,
        "fingerprints": {"data": fingerprint(digests), "split": membership.hexdigest()[:16]},
    }
    write_meta(directory, meta, loaded.revision, report)


def _write(
    directory: Path, split: str, table: ClipTable, settings: VideoSettings, kind: TargetKind | None, name: str,
    content: hashlib._Hash,
) -> tuple[np.ndarray, list[np.ndarray]]:  # fmt: skip
    """Write `<split>_frames.npy`, a frame at a time. Returns the offsets of the clips `[N + 1]` and their targets."""
    offsets, targets, raw = [0], list[np.ndarray](), directory / f"{split}.raw"
    numbers = {label: number for number, label in enumerate(kind.names)} if kind is not None else {}
    with raw.open("wb") as file:
        for example, clip in enumerate(table.clips):
            kept, target, place = np.zeros(0, np.int64), table.targets[example], table.place(example, name, split)
            labels = [target] if isinstance(target, str) else list(target)

            def pick(count: int, labels: list[str | None] = labels, place: str = place) -> np.ndarray:
                nonlocal kept
                if kind is not None and kind.of_steps and len(labels) != count:
                    raise UserError(f"{place}: {len(labels)} labels for {count} frames, expected one for each frame")
                kept = settings.picked(count)
                return kept

            written = 0
            for frame in clip.frames(pick):
                one = channels_first(fitted(frame, settings.height_and_width, settings.fit).values, settings.channels)
                file.write(one.tobytes())
                content.update(one.tobytes())
                written += 1
            if written < (2 if kind is None else 1):
                raise UserError(f"{place}: {number_of(written, 'frame')}, expected at least {2 if kind is None else 1}")
            if written != len(kept):
                raise UserError(f"{place}: {written} of {len(kept)} frames can be read: expected a whole clip")
            offsets.append(offsets[-1] + written)
            if kind is None:
                targets.append(np.zeros(1, np.int64))
            elif kind.of_steps:
                targets.append(np.array([-1 if (own := labels[at]) is None else numbers[own] for at in kept.tolist()],
                                        dtype=np.int32))  # fmt: skip
            else:
                targets.append(np.array([numbers[str(target)]], dtype=np.int64))
    shape = (offsets[-1], settings.channels, *settings.height_and_width)
    with raw.open("rb") as values, (directory / f"{split}_frames.npy").open("wb") as array:
        np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})
        shutil.copyfileobj(values, array, 1 << 22)
    raw.unlink()
    return np.array(offsets, dtype=np.int64), targets
