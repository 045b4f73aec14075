"""Altair without its checks, and the JavaScript that draws its charts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import default_cache, sealed_directory

SCRIPT = "vega.js"

BUNDLE = """
import sys, vl_convert
sys.stdout.reconfigure(encoding="utf-8", newline="\\n")
sys.stdout.write(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=sys.argv[1]))
"""


@contextmanager
def unchecked() -> Iterator[None]:
    """Make charts without validating each part against the schema of Vega-Lite, which takes longer than making it."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        yield


@cache
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed in the version that altair writes, as one script without imports.

    Making it takes more than a second: it is kept in the cache directory, for the versions of both libraries.

    Raises UserError where it cannot be made.
    """
    import altair as alt

    vega_lite = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    name = f"vega-lite-{vega_lite}-by-vl-convert-{version('vl-convert-python')}"

    def build(directory: Path) -> None:
        (directory / SCRIPT).write_bytes(_bundle(vega_lite).encode())

    try:
        directory = sealed_directory(Path(default_cache()).expanduser() / "charts" / name, build)
        return (directory / SCRIPT).read_bytes().decode()
    except (OSError, RuntimeError, UserError):  # no cache can be written, or the script cannot be made
        return _bundle(vega_lite)


def _bundle(vega_lite: str) -> str:
    """Made in a process of its own: where memory runs out, the library ends the process that it is in."""
    try:
        made = subprocess.run(
            [sys.executable, "-c", BUNDLE, vega_lite], capture_output=True, text=True, encoding="utf-8"
        )
    except OSError as error:
        raise UserError(
            f"the chart library does not start ({error.strerror}): free memory, then report again"
        ) from None
    if made.returncode:
        (*_, reason) = ["", *made.stderr.strip().splitlines()]
        raise UserError(
            f"the chart library ended with exit code {made.returncode} ({reason[:200] or 'without a word'}): "
            "free memory, or raise the limit on it (ulimit -v), then report again"
        )
    return "(function(){\n" + made.stdout.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n})();"
