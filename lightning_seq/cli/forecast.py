"""`lightning-seq forecast`: the next values of the series in a file, a row for each step."""

from __future__ import annotations

import logging

from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import counted, output_file, write_rows
from lightning_seq.cli.verbs import Forecast
from lightning_seq.files import existing_file
from lightning_seq.inference.forecast import read_series, series_forecasts

log = logging.getLogger("lightning_seq")


def run(arguments: Forecast) -> int:
    path = output_file(arguments.output, arguments.data)
    file = existing_file(arguments.data, "data")
    loaded = loaded_checkpoint("forecast", arguments)
    columns = {name: getattr(arguments, name) for name in ("time_column", "item_column", "value_column", "timezone")}
    panel = read_series(loaded, file, **columns)
    for note in panel.notes:
        log.warning("data=%s: %s", file, note)
    write_rows(path, counted(series_forecasts(loaded, panel, arguments.batch_size), path))
    return 0
