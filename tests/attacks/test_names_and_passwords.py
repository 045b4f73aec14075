"""Names that lead out of a comparison, and passwords in addresses."""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.hub import Hub
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import write_json
from lightning_seq.printable import PrintableFormatter, without_credentials
from lightning_seq.records.record import Record, write
from lightning_seq.training import run


@pytest.mark.parametrize("name", ["../secret", "..", "", "/etc", "a/../../secret", "secret/."])
def test_status_follows_no_name_out_of_the_comparison(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "runs" / "demo"
    (place / "lstm-seed1").mkdir(parents=True)
    (place / "lstm-seed1" / "config.yaml").write_text("choices: {}\n")
    (tmp_path / "runs" / "secret").mkdir()
    write(tmp_path / "runs" / "secret", Record(status="failed", name="x", label="secret", seed=1, error="mine"))
    write_json(place / "comparison.json", {"schema": 1, "runs": {name: "x"}, "jobs": 1})
    assert main(["status", str(place)]) == 0
    said = capsys.readouterr().out
    assert "mine" not in said
    assert said.startswith("lstm-seed1\twaiting")
    assert "expected the name of a directory in it" in caplog.text


SECRET = "hunter2"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:1/hub?a=b@c", "[::1"])
def test_a_password_in_the_address_of_the_hub_is_not_printed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setenv("HF_ENDPOINT", f"http://me:{SECRET}@{host}")
    monkeypatch.setattr(threading, "excepthook", lambda error: said.append(str(error)))
    with pytest.raises(UserError, match="no network for the Hub set") as raised:
        Hub("someone/tiny", columns=Columns()).load()
    assert f"http://…@{host} does not answer" in str(raised.value)
    assert said == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://me:{SECRET}@host/x", "http://…@host/x"),
        (f"proxy 'https://{SECRET}@host:1' and ftp://a:{SECRET}@b", "proxy 'https://…@host:1' and ftp://…@b"),
        (f"s3://me:a@{SECRET}@host", "s3://…@host"),
        ("mail me@host, http://host/@name", "mail me@host, http://host/@name"),
    ],
)
def test_no_error_has_the_password_of_an_address(text: str, shown: str) -> None:
    """In an error of the user, in a reason, in a log with its traceback, in the error of a record."""
    error = ValueError(text)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (text,), (ValueError, error, None))
    log = PrintableFormatter("%(message)s").format(record)
    assert log == f"{shown}\n  ValueError: {shown}"
    assert str(UserError(text)) == first_line(error) == shown
    assert run._cause(error) == f"ValueError: {shown}"


def test_an_error_that_is_not_the_users_is_printed_without_escapes_and_passwords(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = RuntimeError(f"\x1b]0;owned\x07 http://me:{SECRET}@host")
    import_module("lightning_seq.cli.main")._print_traceback(RuntimeError, error, None)
    assert capsys.readouterr().err == "RuntimeError: \\x1b]0;owned\\x07 http://…@host\n"


def test_a_password_with_a_slash_is_left_out() -> None:
    assert without_credentials("https://user:pa/ss@host/x") == "https://…@host/x"
    assert without_credentials("https://host:80/a@b https://host/a@b") == "https://host:80/a@b https://host/a@b"
