"""The JavaScript that draws Vega-Lite charts."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import default_cache
from lightning_seq.own_modules import python
from lightning_seq.sealed import sealed_directory

SCRIPT = "vega.js"

BUNDLE = """
import sys, vl_convert
sys.stdout.reconfigure(encoding="utf-8", newline="\\n")
version = vl_convert.get_vegalite_versions()[-1]
sys.stdout.write(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))
"""


@cache
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed in the newest versions that vl-convert has, as one script without imports.

    Making it takes more than a second: it is kept in the cache directory, for the version of vl-convert.

    Raises UserError where it cannot be made.
    """

    def build(directory: Path) -> None:
        (directory / SCRIPT).write_bytes(_bundle().encode())

    name = f"vega-lite-by-vl-convert-{version('vl-convert-python')}"

    try:
        directory = sealed_directory(Path(default_cache()).expanduser() / "charts" / name, build)
        return (directory / SCRIPT).read_bytes().decode()
    except (OSError, RuntimeError, UserError):  # no cache can be written, or the script cannot be made
        return _bundle()


def _bundle() -> str:
    """Run the library in another process: it ends its process if memory runs out."""
    try:
        made = subprocess.run(python("-c", BUNDLE), capture_output=True, text=True, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the chart library does not start ({error.strerror}): free memory, then report again"
        ) from None
    if made.returncode:
        (*_, reason) = ["", *made.stderr.strip().splitlines()]
        raise UserError(
            f"the chart library ended with exit code {made.returncode} ({reason[:200] or 'no message'}): "
            "free memory, or raise the limit on it (ulimit -v), then report again"
        )
    return "(function(){\n" + made.stdout.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n})();"
