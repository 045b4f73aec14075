"""A headless Chromium that is told what to do over a pipe (the DevTools protocol), and notes all it does and says."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage", "extensions")
_KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "ArrowRight": (39, ""), "ArrowLeft": (37, ""), " ": (32, " ")}
_KEYS |= {"Home": (36, ""), "End": (35, ""), "Escape": (27, "")}


class Browser:
    """One page of one browser, which ends with the `with` statement.

    said:      what the page wrote to the console, and errors that nobody caught.
    requested: every address that the page asked for; `data:` is no request.
    """

    def __init__(self, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        self.said: list[str] = []
        self.requested: list[str] = []
        self._sent, self._held = 0, b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [str(CHROMIUM), "--headless", "--no-sandbox", "--no-first-run", "--remote-debugging-pipe"]
        command += [*(f"--disable-{name}" for name in _QUIET), f"--user-data-dir={self._profile.name}", "about:blank"]
        (reads, self._to), (self._from, writes) = _pipe(), _pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        actions: list[Any] = [(os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_RDWR, 0) for each in (0, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, reads, 3), (os.POSIX_SPAWN_DUP2, writes, 4)]
        self._process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        os.close(reads)
        os.close(writes)
        self._session: str | None = None
        target = next(each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(RuntimeError):
            self._session = None
            self.call("Browser.close")
        os.waitpid(self._process, 0)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def open(self, page: Path, until: str = "document.documentElement.dataset.drawn !== undefined") -> float:
        """Open a file and wait until it has drawn its charts. Returns the seconds that took."""
        begun = time.perf_counter()
        self.call("Page.navigate", url=page.as_uri())
        self.wait(f"document.readyState === 'complete' && ({until})")
        return time.perf_counter() - begun

    def wait(self, condition: str, seconds: float = 60.0) -> None:
        """Until an expression is true in the page."""
        end = time.perf_counter() + seconds
        while not self.run(condition):
            if time.perf_counter() > end:
                raise TimeoutError(f"not true after {seconds:g} s: {condition}")
            time.sleep(0.02)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page, a promise's when it is there."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:800])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        code, text = _KEYS[key]
        named = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def downloads_to(self, directory: Path) -> None:
        session, self._session = self._session, None
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(directory))
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol; RuntimeError where it is an error."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        end = time.perf_counter() + 90
        while self._sent not in self._answers:
            self._read(end - time.perf_counter())
        answer = self._answers.pop(self._sent)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _read(self, seconds: float) -> None:
        if not select.select([self._from], [], [], max(0.0, seconds))[0]:
            raise TimeoutError("Chromium does not answer")
        part = os.read(self._from, 1 << 20)
        if not part:
            raise RuntimeError("Chromium ended")
        *whole, self._held = (self._held + part).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, found: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(each.get("value", each.get("description"))) for each in found["args"]))
        elif event == "Runtime.exceptionThrown":
            self.said.append(json.dumps(found["exceptionDetails"])[:400])
        elif event == "Log.entryAdded":
            self.said.append(found["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not found["request"]["url"].startswith("data:"):
            self.requested.append(found["request"]["url"])


def arrived(browser: Browser, directory: Path, name: str = "*.svg") -> Path:
    """The file that the browser downloads, when it is there."""
    for _ in range(200):
        if found := list(directory.glob(name)):
            return found[0]
        browser.run("new Promise((resume) => setTimeout(resume, 50))")
    raise AssertionError(f"no {name} came")


def pictures_drawn(browser: Browser, page: Path) -> list[str]:
    """The numbers of pictures that a page draws when it is open, and when it is unfolded for paper.

    The page may not be wider than the window.
    """
    browser.open(page)
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
    drawn = [browser.run("document.documentElement.dataset.pictures")]
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    return [*drawn, browser.run("document.documentElement.dataset.pictures")]


def look(page: Path, then: str = "") -> str:
    """The document after its charts are drawn, and after a script that is run `then`.

    It may have said nothing to the console and asked nobody for anything.
    """
    with Browser() as browser:
        browser.open(page)
        if then:
            browser.run(then)
        document = browser.run("document.documentElement.outerHTML")
    assert browser.said == [], browser.said
    assert browser.requested == [page.as_uri()], browser.requested
    return document


def _pipe() -> tuple[int, int]:
    """Two ends whose numbers are not those that Chromium expects."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
