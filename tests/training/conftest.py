from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightning_seq.launch.fork_server import ForkServer
from torture.killed import Runner


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Imports everything once, in seconds; each run is a copy of it."""
    if not ForkServer.possible():
        pytest.skip("runs are copied from a process that has imported everything: Linux alone")
    made = Runner()
    yield made
    made.close()
