"""A small stand-in for the Hub: enough of its HTTP API for `datasets` to load a parquet set from it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(ThreadingHTTPServer):
    """Serves `sets`: by id, the files of its only commit. `asked` lists every request."""

    def __init__(self, sets: Mapping[str, Mapping[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sets, self.asked = sets, []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def hub_server(sets: Mapping[str, Mapping[str, bytes]]) -> Iterator[HubServer]:
    server = HubServer(sets)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _missing(self, code: str) -> None:
        self._answer(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code, "Content-Type": "application/json"})

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        if path in ("", "/"):
            return self._answer(200)
        if (found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/(.*))?", path)) or (
            found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/(resolve)/(.*)", path)
        ):
            name, verb, rest = found.groups()
        else:
            return self._missing("EntryNotFound")
        files = self.server.sets.get(name)
        if files is None:
            return self._missing("RepoNotFound")
        revision = next((known for known in (COMMIT, "main") if rest is None or rest.split("/")[0] == known), None)
        if revision is None:
            return self._missing("RevisionNotFound")
        inside = (rest or "").partition("/")[2]
        if verb in (None, "revision"):
            siblings = [{"rfilename": path} for path in files]
            return self._json({"id": name, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
        if verb == "tree":
            return self._json([item for item in _entries(files) if not inside or item["path"].startswith(inside + "/")])
        if verb == "paths-info":
            return self._json(
                [item for item in _entries(files) if json.dumps(item["path"]) in body or item["path"] in body]
            )
        if inside not in files:
            return self._missing("EntryNotFound")
        etag = hashlib.sha1(files[inside]).hexdigest()
        return self._answer(
            200,
            files[inside],
            {
                "ETag": f'"{etag}"',
                "X-Repo-Commit": COMMIT,
                "Accept-Ranges": "bytes",
                "Content-Type": "application/octet-stream",
            },
        )

    do_GET = do_HEAD = do_POST = _handle  # noqa: N815 - the names http.server looks for


def _entries(files: Mapping[str, bytes]) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [
        {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        for path, content in files.items()
    ]
    folders = {path.rpartition("/")[0] for path in files if "/" in path}
    return entries + [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
