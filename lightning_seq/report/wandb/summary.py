"""A comparison as one run of Weights & Biases: its tables, the curves of all runs overlaid, maps of attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import wandb
from markupsafe import Markup

from lightning_seq.records.attention import LEVELS, Step, weight_of
from lightning_seq.records.captions import CaptionedPicture
from lightning_seq.records.numbers import number
from lightning_seq.records.pictures import Grid, picture_size
from lightning_seq.records.questions import AskedQuestion
from lightning_seq.records.record import Record
from lightning_seq.report import curves
from lightning_seq.report.columns import rows, wandb_columns
from lightning_seq.report.dashboard.attention import first_maps, shown
from lightning_seq.report.dashboard.captions import first_captions
from lightning_seq.report.dashboard.questions import chosen_questions, first_questions, looks, probabilities
from lightning_seq.report.dashboard.templates import draw, shortened
from lightning_seq.report.escape import one_line
from lightning_seq.report.over_data_sets import OverDataSets
from lightning_seq.report.over_data_sets_tables import pair_table, sheet
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Summary, runs_of, summarise_runs, training_seconds

_CELL, _LETTER, _LONGEST = 16, 7, 14
_FRAME, _IN_A_ROW, _STRONGEST = 120, 8, 0.8
"""Of pictures with attention: pixels of the longer side, frames of a row, the opacity where the weight is 1."""


def log_comparison(directory: Path, project: str = "lightning_seq", entity: str | None = None) -> Path:
    """Log the comparison in `<runs>/<name>/` to W&B, offline, and return the directory of the W&B run.

    The run has the comparison's name, is in the group of its runs, and has the job type `comparison`; of several data
    sets, each has tables and charts of its own.

    Raises UserError when the directory is missing or holds no record.
    """
    runs = runs_of(directory)
    summary = summarise_runs(directory, runs)
    records = [record for _, record in runs]
    run = _start(directory, summary, project, entity)
    try:
        for group in summary.groups:
            mine = [record for record in records if group.holds(record)]
            place = f"{group.task}/{group.data}/" if len(summary.groups) > 1 else ""
            tables = {"summary": _summary_table(group), "runs": _run_table(mine, group)}
            run.log({f"comparison/{place}{name}": table for name, table in tables.items()})
            for name in curves.metrics_to_draw(mine, group.headline):
                if overlaid := _overlaid(mine, name, place):
                    run.log(overlaid)
            if (
                pictures := _attention(runs, group, place)
                | _captions(runs, group, place)
                | _questions(runs, group, place)
            ):
                run.log(pictures)
            run.summary.update(_means(group))
        if summary.over is not None:
            run.log({f"comparison/{name}": table for name, table in _over_tables(summary.over).items()})
        return Path(run.dir).parent
    finally:
        run.finish()


def _start(directory: Path, summary: Summary, project: str, entity: str | None) -> wandb.Run:
    described = ("task", "data", "labels", "headline", "conventions")
    settings = wandb.Settings(
        silent=True,
        console="off",
        x_disable_stats=True,
        x_disable_meta=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
    )
    return wandb.init(
        dir=directory,
        mode="offline",
        project=project,
        entity=entity,
        name=f"{summary.name}-comparison",
        group=summary.name,
        job_type="comparison",
        tags=list(dict.fromkeys(f"data:{group.data}"[:64] for group in summary.groups if group.data)) or None,
        config={"groups": [{name: getattr(group, name) for name in described} for group in summary.groups]},
        settings=settings,
        reinit="create_new",
    )


def _summary_table(group: Group) -> wandb.Table:
    """One row for each label, and one for the baseline."""
    columns = wandb_columns(group)
    table = wandb.Table(columns=[column.name for column in columns], allow_mixed_types=True)
    for row in rows(group):
        table.add_data(*(column.value(row) for column in columns))
    return table


def _over_tables(over: OverDataSets) -> dict[str, wandb.Table]:
    """The labels over all data sets and their pairs."""
    head, *rows = [row[: 5 + 2 * len(over.names)] for row in sheet(over)]  # without the columns of pairs
    pairs, cells = pair_table(over)
    return {
        "over_data_sets": wandb.Table(columns=[str(name) for name in head], data=rows, allow_mixed_types=True),
        "pairs_over_data_sets": wandb.Table(columns=[str(name) for name in pairs], data=cells),
    }


def _run_table(records: list[Record], group: Group) -> wandb.Table:
    """One row for each label and seed."""
    columns: list[str | int] = ["label", "seed", "status", *group.metrics]
    columns += [f"parameters {kind}" for kind in PARAMETER_KINDS]
    columns += ["tokens/s", "jobs", "training seconds", "engine", "error"]
    table = wandb.Table(columns=columns, allow_mixed_types=True)
    for record in records:
        cells: list[object] = [record.label, record.seed, record.status]
        cells += [number(record.metrics.get(name)) for name in group.metrics]
        cells += [record.parameters.get(kind) for kind in PARAMETER_KINDS]
        cells += [number(record.throughput.get("tokens_per_second")), record.jobs, training_seconds(record)]
        table.add_data(*cells, record.engine, record.error)
    return table


def _overlaid(records: list[Record], name: str, place: str) -> dict[str, object]:
    """One metric of all runs in one chart against epochs, and as a table that holds the seconds too."""
    drawn = [(record, points) for record in records if (points := curves.points(record, name))]
    if not drawn:
        return {}
    chart = wandb.plot.line_series(
        xs=[[point.epoch for point in points] for _, points in drawn],
        ys=[[point.value for point in points] for _, points in drawn],
        keys=[f"{record.label}-seed{record.seed}" for record, _ in drawn],
        title=f"{place}{name}",
        xname="epoch",
    )
    rows = [[record.label, record.seed, *point] for record, points in drawn for point in points]
    table = wandb.Table(columns=["label", "seed", "epoch", "seconds", "value"], data=rows, allow_mixed_types=True)
    return {f"curves/{place}{name}": chart, f"comparison/{place}{name}": table}


def _attention(runs: list[tuple[Path, Record]], group: Group, place: str) -> dict[str, object]:
    """For each chosen sentence the maps of attention after the last epoch, architectures side by side."""
    maps, _ = first_maps([run for run in runs if group.holds(run[1])])
    by_sentence: dict[int, list[str]] = {}
    for record, sentences in maps:
        for sentence in sentences:
            source = [shown(token) for token in sentence.source]
            step = sentence.steps[-1]
            step = Step(step.epoch, tuple(shown(token) for token in step.target), step.rows)
            by_sentence.setdefault(sentence.number, []).append(picture(record.label, source, step))
    return {
        f"attention/{place}sentence {number}": wandb.Html("<!doctype html><meta charset=utf-8>" + "".join(pictures))
        for number, pictures in by_sentence.items()
    }


def _captions(runs: list[tuple[Path, Record]], group: Group, place: str) -> dict[str, object]:
    """For each chosen picture the captions after the last epoch and the attention of their words, architectures one
    below the other."""
    found, _ = first_captions([run for run in runs if group.holds(run[1])])
    pages: dict[str, list[str]] = {}
    for record, content in found:
        for picture in content.pictures:
            if picture.captions:
                drawn = caption_picture(record.label, picture, content.grid)
                pages.setdefault(f"captions/{place}picture {picture.number}", []).append(drawn)
    return _html(pages)


def _questions(runs: list[tuple[Path, Record]], group: Group, place: str) -> dict[str, object]:
    """For each chosen question the answers and the attention of each look, architectures one below the other."""
    tested = [run for run in runs if group.shows_test_of(run[1])]
    found = {record.label: content for record, content in first_questions(tested)[0]}
    pages = {
        f"questions/{place}question {next(iter(mine.values())).number}": [
            question_picture(label, one, found[label].grid) for label, one in mine.items()
        ]
        for mine in chosen_questions(found)
    }
    return _html(pages)


def _html(pages: Mapping[str, Sequence[str]]) -> dict[str, object]:
    return {
        name: wandb.Html("<!doctype html><meta charset=utf-8>" + "<br>".join(parts)) for name, parts in pages.items()
    }


def _means(group: Group) -> dict[str, object]:
    """The means of the headline by label, for the list of runs."""
    means = {f"{group.headline}/{row.label}": row.metric(group.headline).mean for row in group.rows}
    return {name: mean for name, mean in means.items() if mean is not None}


def caption_picture(label: str, picture: CaptionedPicture, grid: Grid | None) -> Markup:
    """The picture, and for each word of its last caption the picture with the word's attention, as SVG."""
    caption = picture.captions[-1]
    shares = caption.shares or (None,) * len(caption.words)
    told = ["" if share is None else f"{100 * share:.0f} % of the attention in the box" for share in shares]
    looks = zip(caption.words, caption.weights, told, strict=True) if grid else ()
    text = "" if grid else " ".join(caption.words)
    return _frames(f"{label}, epoch {caption.epoch}", picture.png, grid, looks, text)


def question_picture(label: str, one: AskedQuestion, grid: Grid | None) -> Markup:
    """The picture, and for each look at it the picture with the look's attention, as SVG."""
    title = f"{label}: {one.question} → {one.target}; its answer: {one.answer} {probabilities(one)}"
    frames = zip(looks(one), one.weights, [""] * len(one.weights), strict=True)
    return _frames(title, one.png, grid, frames, "")


def _frames(title: str, png: str, grid: Grid | None, looks: Iterable[tuple[str, str, str]], text: str) -> Markup:
    """looks: a name, weights as levels, and what is told about them; text: below the picture alone."""
    (across, down), title = picture_size(png), one_line(title)
    size = [max(1, round(side * _FRAME / max(across, down))) for side in (across, down)]
    frames: list[tuple[str, list[float], str]] = [(one_line(text), [], "")]
    frames += [
        (shortened(one_line(name), _LONGEST), [_STRONGEST * weight_of(level) ** 0.5 for level in row], told)
        for name, row, told in looks
    ]
    rows = -(-len(frames) // _IN_A_ROW)
    return draw(
        "frames_picture",
        title=title,
        png=png,
        frames=frames,
        across=size[0],
        down=size[1],
        rows=grid[0] if grid else 1,
        columns=grid[1] if grid else 1,
        in_a_row=_IN_A_ROW,
        width=max(8 + min(len(frames), _IN_A_ROW) * (size[0] + 8), 8 * len(frames[0][0]), 16 + 8 * len(title)),
        height=24 + rows * (size[1] + 28),
    )


def picture(title: str, source: Sequence[str], step: Step) -> Markup:
    """The map of a step as SVG: the source along the top, the target down the side."""
    columns, rows = ([shortened(token, _LONGEST) for token in tokens] for tokens in (source, step.target))
    left = 12 + _LETTER * max(map(len, rows), default=1)
    slope = _LETTER * max(map(len, columns))
    top = round(34 + 0.87 * slope)
    return draw(
        "attention_picture",
        title=title,
        step=step,
        source=source,
        columns=columns,
        rows=rows,
        size=_CELL,
        left=left,
        top=top,
        width=max(left + _CELL * len(source) + slope // 2 + 8, 16 + 8 * (len(title) + 10)),
        height=top + _CELL * len(step.target) + 8,
        levels=LEVELS,
    )
