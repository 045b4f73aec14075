"""Sequences of vectors as arrays on disk: one array of features per split, and the examples as places in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, write_meta
from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.sources.table import SPLITS, Keys, Loaded, empty_split
from lightning_seq.data.sources.vector_table import VectorSource, VectorTable
from lightning_seq.data.token_arrays import read_arrays, save_arrays
from lightning_seq.data.vectors.settings import Moments, VectorSettings
from lightning_seq.data.vectors.targets import TargetKind, counted, target_kind
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
from lightning_seq.spec import DataSpec, Features, Tags

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class VectorSplit:
    """The examples of one split; the features of example i are `flat[starts[i]:stops[i]]`.

    flat:    `[steps, D]` float32, on disk.
    targets: of each example, `[N]` class ids or `[N, W]` values, or of each step, `[steps]` tag ids (-1 does not count)
             or `[steps, W]`.
    ids:     `[N]`, the source's number of the sequence that holds the example.
    """

    flat: DiskRows
    starts: np.ndarray
    stops: np.ndarray
    ids: np.ndarray
    targets: np.ndarray
    of_steps: bool

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def labels(self) -> np.ndarray:
        """Targets that are class ids."""
        return self.targets

    @cached_property
    def lengths(self) -> np.ndarray:
        return self.stops - self.starts

    @cached_property
    def counts(self) -> np.ndarray | None:
        """`[N]`, targets that count; None: one for each example."""
        if not self.of_steps:
            return None
        return np.add.reduceat(counted(self.targets).astype(np.int64), self.starts)


@dataclass(frozen=True, kw_only=True)
class PreparedVectors(PreparedData[VectorSplit]):
    """Sequences of vectors, ready for batches. spec: Features to Class, Tags or Values.

    width:       D of the source's steps.
    mean, scale: `[D']`, of the features of training, by which they are normalised.
    """

    settings: VectorSettings
    width: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]


def prepare_vectors(source: VectorSource, cache: Path | str, settings: VectorSettings | None = None) -> PreparedVectors:
    """The source's sequences as features, from the cache if they are complete there.

    Raises UserError for a mistake in the source, an empty split or sequence, steps of unequal width, numbers that are
    infinite or missing, and as `target_kind` does.
    """
    settings = settings or VectorSettings()

    def read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> PreparedVectors:
        of_steps = bool(meta["of_steps"])

        def split_of(split: str) -> VectorSplit:
            names = ("starts", "stops", "ids", f"target{'_steps' * of_steps}")
            starts, stops, ids, targets = read_arrays(directory, split, *names)
            return VectorSplit(DiskRows(directory, f"{split}_steps"), starts, stops, ids, targets, of_steps)

        return PreparedVectors(
            spec=DataSpec.from_plain(meta["spec"]),
            splits={split: split_of(split) for split in SPLITS},
            settings=settings,
            width=meta["width"],
            mean=tuple(meta["mean"]),
            scale=tuple(meta["scale"]),
            **common,
        )

    identity = {"source": source.identity(), "vectors": settings.to_plain(), "vectors_code": CODE_VERSION}
    return prepared(source, cache, identity, partial(_build, settings=settings), read)


def _build(directory: Path, name: str, loaded: Loaded[VectorTable], settings: VectorSettings) -> None:
    tables, report = loaded.tables, list(loaded.notes)
    for split in SPLITS:
        if not len(tables[split]):
            raise empty_split(name, split, "one sequence")
    kind = target_kind(name, tables, loaded.classes)
    if settings.window and not kind.of_steps:
        raise UserError("data.window is for targets of steps, and these are of sequences: use data.max_steps")
    if settings.normalise == "group" and tables["train"].groups is None:
        raise UserError("data.normalise=group needs the group of each sequence: give data.group_column")
    width = tables["train"].read(tables["train"].rows[0]).shape[1]
    settings.check_width(width)
    names = tables["train"].names or tuple(f"x{number}" for number in range(1, width + 1))
    content, membership = hashlib.sha256(), hashlib.sha256()
    moments, arrays = Moments(width * (1 + settings.deltas)), {}
    for split in SPLITS:
        features = _features(tables[split], name, split, settings, names, kind.of_steps)
        arrays[split] = _write(directory, split, features, moments if split == "train" else None)
    mean, scale = moments.result()
    if settings.normalise in ("none", "sequence", "group"):
        mean, scale = np.zeros_like(mean), np.ones_like(scale)
    examples = {}
    for split in SPLITS:
        table, offsets = tables[split], arrays[split]
        targets = [*kind.arrays(table, settings.stride)]
        _check_targets(table, targets, np.diff(offsets), kind, name, split)
        for number, target in zip(table.ids, targets, strict=True):
            content.update(target.tobytes())
            membership.update(f"{split} {number} {hashlib.sha256(target.tobytes()).hexdigest()}\n".encode())
        _normalise(directory, split, table, offsets, settings, mean, scale, content)
        examples[split] = _examples(directory, split, table, offsets, np.concatenate(targets), kind, settings)
    report += [*_notes(tables, settings, kind, moments, settings.names(names))]
    spec = DataSpec(
        Features(len(mean) * (1 + settings.masks), settings.names(names)),
        kind.targets(bool(settings.window), examples["train"]),
    )
    data = fingerprint({"content": content.hexdigest(), "vectors": settings.to_plain(), "code": CODE_VERSION})
    meta = {
        "spec": spec.to_plain(),
        "of_steps": kind.of_steps and not settings.window,
        "width": width,
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "fingerprints": {"data": data, "split": membership.hexdigest()[:16]},
    }
    write_meta(directory, meta, loaded.revision, report)


def _features(
    table: VectorTable, name: str, split: str, settings: VectorSettings, names: tuple[str, ...], of_steps: bool
) -> Iterator[np.ndarray]:
    """The features of each sequence, not yet normalised. Raises UserError for steps that are no finite numbers."""
    for example, row in enumerate(table.rows):
        steps = table.read(row)
        check_steps(steps, len(names), table.place(example, name, split), settings, names)
        features = settings.features(steps)
        yield features if of_steps else features[: settings.max_steps]


def check_steps(
    steps: np.ndarray, width: int, place: str, settings: VectorSettings, names: tuple[str, ...] = ()
) -> None:
    """Raises UserError unless there are steps of `width` finite numbers each; missing ones where they are masked."""
    if not steps.size:
        raise UserError(f"{place}: the sequence is empty, expected at least one step")
    if steps.shape[1] != width:
        raise UserError(f"{place}: a step has {steps.shape[1]} numbers, expected {width}, as in the first sequence")
    bad = np.isinf(steps) if settings.masks else ~np.isfinite(steps)
    if bad.any():
        step, column = np.argwhere(bad)[0].tolist()
        value = steps[step, column]
        number = f"{names[column]!r}" if names else f"number {column + 1}"
        remedy = "" if np.isinf(value) else "; data.missing=mask reads NaN as a missing number"
        raise UserError(f"{place}, step {step + 1}: {number} is {value}, expected a finite number{remedy}")


def _write(directory: Path, split: str, sequences: Iterator[np.ndarray], moments: Moments | None) -> np.ndarray:
    """Write the features of all sequences, one after the other, and return their offsets `[N + 1]`."""
    offsets = [0]
    with (directory / f"{split}.raw").open("wb") as file:
        for features in sequences:
            features.astype(np.float32, copy=False).tofile(file)
            offsets.append(offsets[-1] + len(features))
            if moments is not None:
                moments.update(features)
    return np.array(offsets, dtype=np.int64)


def _normalise(
    directory: Path, split: str, table: VectorTable, offsets: np.ndarray, settings: VectorSettings, mean: np.ndarray,
    scale: np.ndarray, content: hashlib._Hash,
) -> None:  # fmt: skip
    """Write `<split>_steps.npy` from `<split>.raw`, which is deleted. Neither is mapped: mapped steps would count as
    memory of the process."""
    raw = directory / f"{split}.raw"
    shape = (int(offsets[-1]), len(mean) * (1 + settings.masks))
    form = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
    groups: Mapping[object, Moments] = {}
    if settings.normalise == "group":
        groups = _by_group(_sequences(raw, offsets, len(mean)), table.groups, len(mean))
    with (directory / f"{split}_steps.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, form)
        for example, features in enumerate(_sequences(raw, offsets, len(mean))):
            if settings.normalise in ("sequence", "group"):
                own = groups[table.groups[example]] if groups and table.groups else of_sequence(features)
                mean, scale = own.result()
            steps = settings.normalised(features, mean, scale)
            steps.tofile(file)
            content.update(steps.tobytes())
    raw.unlink()


def _sequences(raw: Path, offsets: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """The features of each sequence that `_write` wrote."""
    with raw.open("rb") as file:
        for length in np.diff(offsets).tolist():
            yield np.fromfile(file, np.float32, length * width).reshape(length, width)


def of_sequence(features: np.ndarray) -> Moments:
    """Of the features of one sequence."""
    moments = Moments(features.shape[1])
    moments.update(features)
    return moments


def _by_group(sequences: Iterator[np.ndarray], groups: Keys | None, width: int) -> dict[object, Moments]:
    by_group: dict[object, Moments] = {}
    for features, group in zip(sequences, groups or [], strict=True):
        by_group.setdefault(group, Moments(width)).update(features)
    return by_group


def _check_targets(
    table: VectorTable, targets: list[np.ndarray], lengths: np.ndarray, kind: TargetKind, name: str, split: str
) -> None:
    """Raises UserError for a sequence with another number of targets than steps, and for a value that is not finite."""
    for example, (target, length) in enumerate(zip(targets, lengths.tolist(), strict=True)):
        place = table.place(example, name, split)
        if kind.of_steps and len(target) != length:
            raise UserError(f"{place}: {len(target)} targets for {length} steps, expected one for each step")
        if not np.isfinite(target).all():
            raise UserError(f"{place}: a value to predict is missing or infinite, expected finite numbers")
        if target.shape[1:] != targets[0].shape[1:]:
            raise UserError(f"{place}: {target.shape[1]} values to predict, expected {targets[0].shape[1]}")


def _examples(
    directory: Path, split: str, table: VectorTable, offsets: np.ndarray, targets: np.ndarray, kind: TargetKind,
    settings: VectorSettings,
) -> np.ndarray:  # fmt: skip
    """Write the places, ids and targets of the examples of a split, and return their targets."""
    starts, stops, of = _places(offsets, settings, kind.of_steps, split)
    of_steps = kind.of_steps and not settings.window
    if settings.window:
        kept = counted(targets[stops - 1])
        starts, stops, of = starts[kept], stops[kept], of[kept]
        targets = targets[stops - 1].astype(targets.dtype if targets.ndim > 1 else np.int64)
    ids = np.array(table.ids, dtype=np.int64)[of]
    if len(of) != len(table) or settings.window:
        keys, places = table.keys or table.ids, list(zip(of.tolist(), (stops - offsets[of]).tolist(), strict=True))
        ends: Keys = [f"{keys[sequence]}:{end}" for sequence, end in places]
        inside = table.groups or keys
        table = VectorTable([], table.read, [], [], keys=ends, groups=[inside[sequence] for sequence, _ in places])
    save_names(directory, split, table)
    save_arrays(directory, split, starts=starts, stops=stops, ids=ids, **{f"target{'_steps' * of_steps}": targets})
    return targets


def _places(
    offsets: np.ndarray, settings: VectorSettings, of_steps: bool, split: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each example begins and stops, and the sequence that holds it, each `[N]`."""
    begins, ends = offsets[:-1], offsets[1:]
    size, limit = settings.window, settings.max_steps
    if size and not (split == "test" and settings.test_windows == "last"):
        counts = np.maximum(ends - begins - size, 0) + 1
        of = np.repeat(np.arange(len(begins)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        stops = np.minimum(begins + size, ends)[of] + np.arange(len(of)) - first
    elif of_steps and limit and split == "train":
        counts = -(-(ends - begins) // limit)
        of = np.repeat(np.arange(len(begins)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        starts = begins[of] + (np.arange(len(of)) - first) * limit
        return starts, np.minimum(starts + limit, ends[of]), of
    else:
        of, stops = np.arange(len(begins)), ends
    return np.maximum(begins[of], stops - size) if size else begins[of], stops, of


def _notes(
    tables: Mapping[str, VectorTable], settings: VectorSettings, kind: TargetKind, moments: Moments,
    names: tuple[str, ...],
) -> Iterator[str]:  # fmt: skip
    """A line for each thing that the user may not expect."""
    yield from group_notes({split: table.groups for split, table in tables.items()})
    still = [name for name, scale in zip(names, moments.result()[1].tolist(), strict=False) if scale == 1]
    if settings.normalise == "global" and still:
        yield f"{number_of(len(still), 'feature')} without variation in train: {', '.join(still[:12])}"
    if settings.normalise != "none":
        of = {"global": "the steps of train", "sequence": "its own sequence", "group": "its group in the same split"}
        yield f"each feature has mean 0 and deviation 1 over {of[settings.normalise]}"
    if kind.kind is Tags:
        missing = sum(label is None for table in tables.values() for target in table.targets for label in target)
        if missing:
            yield f"{number_of(missing, 'step')} without a label: they do not count"


def group_notes(groups_of: Mapping[str, Keys | None]) -> Iterator[str]:
    """A warning for each pair of splits with common groups."""
    groups = {split: set(names or ()) for split, names in groups_of.items()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if shared := sorted(map(str, groups[one] & groups[other])):
            yield (
                f"warning: {number_of(len(shared), 'group')} ({', '.join(shared[:3])}{' …' * (len(shared) > 3)}) in "
                f"{one} and in {other}: scores in {other} may be too high"
            )
