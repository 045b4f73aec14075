"""Runs copied from a process that has imported everything: their exit codes, their output, their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_seq.comparison.grid import planned_runs
from lightning_seq.config.compose import compose
from lightning_seq.config.entry import Entry
from lightning_seq.launch.fork_server import POOLS, ForkServer
from lightning_seq.launch.local import fork_server_for
from tests.runs import environment

pytestmark = pytest.mark.skipif(not ForkServer.possible(), reason="no process can be copied here")

STAND_IN = """
import os, sys, time

def main(arguments):
    print("in", os.environ["WHERE"], *arguments, "session", os.getsid(0) == os.getpid(), flush=True)
    if arguments[0] == "wait":
        time.sleep(60)
    if arguments[0] == "raise":
        raise ValueError("no such thing")
    if arguments[0] == "interrupt":
        raise KeyboardInterrupt
    if arguments[0] == "leave":
        sys.exit(4)
    return int(arguments[0])
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    """One whose runs are a stand-in: what they do is their first argument."""
    package = tmp_path / "site" / "sitecustomize.py"
    package.parent.mkdir()
    package.write_text(
        f"import sys, types\nmodule = types.ModuleType('lightning_seq.training.run')\n"
        f"exec({STAND_IN!r}, module.__dict__)\nsys.modules['lightning_seq.training.run'] = module\n"
    )
    found = environment()
    monkeypatch.setattr(os, "environ", {**found, "PYTHONPATH": f"{package.parent}:{found.get('PYTHONPATH', '')}"})
    made = ForkServer(["json"])
    yield made
    made.close()


def given(where: str) -> dict[str, str]:
    return {**os.environ, "WHERE": where}


def test_codes_output_and_environment(server: ForkServer, tmp_path: Path) -> None:
    orders = ["0", "3", "leave", "raise", "interrupt", "wait"]
    children = [server.start([order], given(f"place{order}"), tmp_path / order) for order in orders]
    assert len({child.pid for child in children}) == 6
    assert [child.wait(30) for child in children[:-1]] == [0, 3, 4, 1, 130]
    assert children[-1].poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        children[-1].wait(0.1)
    os.killpg(children[-1].pid, signal.SIGKILL)
    assert children[-1].wait(30) == -signal.SIGKILL
    for order in orders:
        assert f"in place{order} {order} session True" in (tmp_path / order).read_text()
    assert "ValueError: no such thing" in (tmp_path / "raise").read_text()


def test_it_ends_when_it_is_closed_and_its_children_do_not(server: ForkServer, tmp_path: Path) -> None:
    child = server.start(["wait"], given("x"), tmp_path / "log")
    process = server._process
    assert process is not None
    server.close()
    assert process.poll() is not None
    os.kill(child.pid, 0)  # it is there
    os.killpg(child.pid, signal.SIGKILL)
    for _ in range(100):
        if child.poll() is not None:
            break
        time.sleep(0.05)
    assert child.poll() == 1  # how it ended nobody knows


def test_one_that_was_killed_says_so(server: ForkServer, tmp_path: Path) -> None:
    assert server.start(["0"], given("x"), tmp_path / "log").wait(30) == 0
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    with pytest.raises(OSError, match=r"ended|Broken pipe"):
        server.start(["0"], given("x"), tmp_path / "log")


def test_an_interruption_leaves_no_run_behind(server: ForkServer, tmp_path: Path) -> None:
    """While the server imports, and while an order waits for its answer."""
    heard, listen = [], server._listen

    def interrupted(timeout: float | None) -> bool:
        heard.append(timeout)
        if len(heard) == 1:
            raise KeyboardInterrupt
        return listen(timeout)

    server._listen = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        server.start(["wait"], given("x"), tmp_path / "first")
    assert server._process is not None
    assert server._process.returncode is not None
    server._process, server._listen = None, listen  # type: ignore[method-assign]
    assert server.start(["0"], given("x"), tmp_path / "second").wait(30) == 0
    heard.clear()
    server._listen = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        server.start(["wait"], given("x"), tmp_path / "third")
    server._listen = listen  # type: ignore[method-assign]
    for _ in range(100):
        if -signal.SIGKILL in server._ended.values():
            break
        server._listen(0.1)
    assert -signal.SIGKILL in server._ended.values()
    assert not (tmp_path / "first").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "model"),
    [
        ("verses_genre", "lstm"),
        ("verses_punctuation", "lstm"),
        ("verses_words", "lstm"),
        ("verses_modernise", "encoder_decoder_attention"),
        ("nottingham", "gru"),
    ],
)
def test_nothing_that_must_not_be_copied_is_imported(data: str, model: str) -> None:
    """What runs import starts no thread and touches no accelerator."""
    program = (
        "import os, sys, importlib\n"
        "for module in sys.argv[1:]: importlib.import_module(module)\n"
        "import torch\n"
        "print(len(os.listdir('/proc/self/task')), torch.cuda.is_initialized())"
    )
    config = compose([f"data={data}", f"model={model}", "name=x"])
    made = fork_server_for(planned_runs([Entry(model, [], config)], [1, 2]))
    assert made is not None
    done = subprocess.run(
        [sys.executable, "-c", program, *made.modules],
        env={**environment(), **dict.fromkeys(POOLS, "1")}, capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.parametrize("words", [["trainer=gpu"], ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]])
def test_which_runs_are_started_afresh(words: list[str]) -> None:
    config = compose(["data=verses_genre", "model=lstm", "name=x", *words])
    assert fork_server_for(planned_runs([Entry("lstm", [], config)], [1, 2])) is None
