"""Nothing secret gets into a log line, whatever field, text or exception carries it, and no line can be forged."""

import errno
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from hutong.host.settings import load_settings
from hutong.kernel.observability import logs
from hutong.kernel.settings import SigningKey
from support.log_setup import logging_as_it_was

CANARY = "Canary7f3Kq9ZtW2xLmN5vB8dR4hJ6"
JWT = f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}"
Read = Callable[[], str]


@pytest.fixture(params=["json", "console"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Logging as a process sets it up, for one test; gives what was written so far."""
    written = io.StringIO()
    with logging_as_it_was():
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", written)
            logs.configure("debug", request.param, process="test")
        yield written.getvalue


@dataclass
class Account:
    name: str
    password: str


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)

    __repr__ = __str__


FIELDS: dict[str, dict[str, Any]] = {
    "token": {"token": CANARY},
    "access_token": {"access_token": CANARY},
    "password": {"password": CANARY},
    "password bytes": {"password": CANARY.encode()},
    "client_secret": {"client_secret": CANARY},
    "Authorization": {"Authorization": f"Bearer {CANARY}"},
    "X-Api-Key": {"x_api_key": CANARY},
    "device_id": {"device_id": CANARY},
    "Set-Cookie": {"headers": {"Set-Cookie": f"session={CANARY}"}},
    "nested": {"request": {"body": [{"new_password": CANARY}]}},
    "headers as a mapping": {"headers": {"Authorization": f"Basic {CANARY}"}},
    "headers as bytes": {"headers": {b"authorization": f"Basic {CANARY}".encode()}},
    "headers as pairs": {"headers": [("authorization", f"Basic {CANARY}"), ("accept", "*/*")]},
    "headers of ASGI": {"headers": [(b"authorization", f"Bearer {CANARY}".encode())]},
    "bearer in text": {"note": f"sent Bearer {CANARY} to them"},
    "header in text": {"note": f"> Authorization: Basic {CANARY}\r\n> Accept: */*"},
    "database URL": {"url": f"postgresql://hutong:{CANARY}@db.example.com/hutong"},
    "store URL": {"url": f"redis://:{CANARY}@redis.example.com:6379/0"},
    "URL of a cluster": {"url": f"redis+cluster://u:{CANARY}@a:7000,b:7001"},
    "signed link": {"url": f"https://h/f.mp4?e=1&sig={CANARY}"},
    "vendor's link": {"url": f"https://h/f.mp4?Expires=1&OSSAccessKeyId={CANARY}&Signature={CANARY}"},
    "token in a query": {"path": f"/socket?access_token={CANARY}&x=1"},
    "password in a query": {"path": f"/login?password={CANARY}"},
    "vendor's key": {"note": f"key sk-{CANARY} refused"},
    "own key": {"note": f"key hk-{CANARY} refused"},
    "signed token": {"note": f"got {JWT}"},
    "JSON text": {"body": json.dumps({"password": CANARY, "name": "x"})},
    "JSON bytes": {"body": json.dumps({"refresh_token": CANARY}).encode()},
    "repr of a mapping": {"body": repr({"secret": CANARY})},
    "form": {"body": f"name=x&password={CANARY}"},
    "an object": {"account": Account("x", CANARY)},
    "an exception": {"error": ValueError(f"Authorization: Bearer {CANARY}")},
    "repr of an exception": {"error": repr(OSError(f"redis://:{CANARY}@h:1/0"))},
    "an object that cannot be shown": {"value": Unprintable()},
    "a secret setting": {"value": SecretStr(CANARY)},
    "a signing key": {"value": SigningKey(kid="1", secret=SecretStr(CANARY * 2))},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_no_field_shows_a_secret(read: Read, fields: dict[str, Any]) -> None:
    logs.logger("test").warning("something happened", **fields)

    line = read()
    assert "something happened" in line
    assert CANARY not in line


TEXTS = {
    "bearer": f"Authorization: Bearer {CANARY}",
    "database URL": f"cannot connect to postgresql+asyncpg://u:{CANARY}@db/hutong",
    "query": f"GET https://h/files?token={CANARY}",
    "JSON": f'refused: {{"api_key": "{CANARY}"}}',
    "keyword": f"connect(user='u', password='{CANARY}')",
    "signed token": JWT,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_exception_shows_a_secret(read: Read, text: str) -> None:
    """Not the one that is logged, nor the one that caused it."""
    try:
        _fail_twice(text)
    except RuntimeError:
        logs.logger("test").exception("it failed")

    written = read()
    assert "RuntimeError: could not" in written
    assert "ValueError" in written
    assert CANARY not in written


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_libraries_log_goes_the_same_way(read: Read, text: str) -> None:
    library = logging.getLogger("some.library")
    library.error("failed: %s", text)
    try:
        _fail_twice(text)
    except RuntimeError:
        library.exception(text)
    library.error("with more", extra={"password": CANARY})

    written = read()
    assert written.count("some.library") == 3
    assert CANARY not in written


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_happened_shows_no_secret_either(read: Read, text: str) -> None:
    logs.logger("test").error(text)
    structlog.contextvars.bind_contextvars(request=text)
    logs.logger("test").error("and in what is bound to the request")

    assert CANARY not in read()


def test_settings_as_a_whole_show_no_secret(read: Read) -> None:
    settings = load_settings(
        env="test",
        secret=CANARY * 2,
        database_url=f"postgresql://u:{CANARY}@h/d",
        store_url=f"redis://:{CANARY}@h/0",
        dashscope={"api_key": CANARY},
        emoji={"tokens": {"keys": [{"kid": "1", "secret": CANARY * 2}]}},
    )

    logs.logger("test").info("started", settings=settings)
    logs.logger("test").info("started", settings=settings.model_dump())
    logs.logger("test").info(repr(settings))

    assert CANARY not in read()


def test_what_is_no_secret_stays_readable(read: Read) -> None:
    kept = {
        "path": "/emoji/api/v1/emoji/task/7301000000000001",
        "url": "http://127.0.0.1:8000/files/a/b.png?page=2",
        "error": "port 8000 is taken",
        "when": "2026-11-20T12:00:00Z",
        "nickname": "小明",
    }
    logs.logger("test").info("request", tokens=3, token_days=7, **kept)

    written = read()
    for text in kept.values():
        assert text in written
    assert "[redacted]" not in written


def test_long_text_is_cut_and_the_end_of_a_traceback_is_not(read: Read) -> None:
    logs.logger("test").info("long", body="x" * 100_000)
    first = len(read())
    assert first < 2_500

    try:
        _fail_twice("x" * 20_000 + " the end")
    except RuntimeError:
        logs.logger("test").exception("it failed")
    written = read()
    assert " the end" in written
    assert len(written) - first < 11_000


@pytest.mark.parametrize("hostile", ["a\nlevel=error forged", "a\r\x1b[2Kforged", "a\u2028forged", "\ud800", "a\x00b"])
def test_one_event_is_one_line(read: Read, hostile: str) -> None:
    logs.logger("test").info(hostile, path=hostile)
    logging.getLogger("some.library").error("%s", hostile)

    written = read()
    assert written.count("\n") == 2
    assert "\x1b[2K" not in written


ODD = {
    "large": 2**70,
    "nan": float("nan"),
    "number as key": {1: 2},
    "bytes as key": {"a": {b"\xff": object()}},
    "nested surrogate": [[["\ud800"]]],
    "surrogate": "\udfff",
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_no_value_breaks_the_line_that_carries_it(read: Read, value: Any) -> None:
    logs.logger("test").info("odd", value=value)

    assert "odd" in read()


@pytest.mark.parametrize("piece", ["token", "://", "://a:", "secret-", "=", "?key", "eyJ", "Bearer ", '"token" ', "a:"])
def test_no_text_makes_the_search_for_secrets_slow(piece: str) -> None:
    """What is sent becomes part of a log line, so the search must not take more than its length."""
    hostile = (":" + piece * 20_000)[:60_000]
    started = time.perf_counter()

    logs.redact(hostile, "exception")

    assert time.perf_counter() - started < 1.0


def test_a_log_without_room_breaks_nothing(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    """The log's disk is full: the line is lost, its writer goes on, and the next line is written."""
    place = Unreliable()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", place)
        logs.configure("debug", "json", process="test")
    logs.logger("lost").warning("lost")
    logging.getLogger("library").warning("lost too")
    place.room = True
    logs.logger("found").warning("found")

    assert "found" in place.getvalue()
    assert "lost" not in place.getvalue()


class Unreliable(io.StringIO):
    """A file on a disk that has no room yet."""

    room = False

    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def _fail_twice(text: str) -> None:
    try:
        int(text)
    except ValueError as error:
        raise RuntimeError(f"could not: {text}") from error


def test_a_line_has_the_names_of_the_contract(read: Read) -> None:
    """JSON lines begin with when, how severe, who and what; numbers of tokens are no secrets, a field forges no name."""
    with structlog.contextvars.bound_contextvars(request_id="a-request"):
        fields = {"user_id": 42, "duration": 1.23, "tokens_used": 150, "message": "forged", "timestamp": "forged"}
        logs.logger("chat.replies").info("a reply ended", **fields)
    logging.getLogger("library").warning("of a library")
    lines = read().splitlines()
    if not lines[0].startswith("{"):
        return  # a person reads the console
    ours, theirs = (json.loads(line) for line in lines)
    assert list(ours)[:4] == ["timestamp", "level", "logger", "message"]
    assert (ours["level"], ours["logger"], ours["message"]) == ("INFO", "chat.replies", "a reply ended")
    assert (ours["user_id"], ours["request_id"], ours["duration"], ours["tokens_used"]) == (42, "a-request", 1.23, 150)
    assert ours["timestamp"].endswith("Z") and ours["timestamp"] != "forged"
    assert (theirs["level"], theirs["logger"], theirs["message"]) == ("WARNING", "library", "of a library")
