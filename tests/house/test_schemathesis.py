"""Schemathesis tries every app's frozen OpenAPI document against the running app: what is described is what happens."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
import yaml
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from hutong.apps.chat import app as chat
from hutong.apps.storefront.app import open_sessions
from hutong.host.wiring import SPECS
from hutong.kernel.identity import UserRole
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import UserBlocked, UserUnknown
from support.stand import Stand

BASELINE = Path(__file__).parent / "schemathesis_baseline.yaml"
APPS = Path(__file__).parents[2] / "src" / "hutong" / "apps"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
)
SEED = 20261122
LEAST_CASES = 300


class Finding(NamedTuple):
    """One operation that fails one check."""

    operation: str
    check: str


class Run:
    """What a run of schemathesis came to."""

    def __init__(self) -> None:
        self.cases = 0
        self.tried: set[str] = set()
        self.findings: dict[Finding, str] = {}
        self.errors: list[str] = []

    def note(self, event: events.EngineEvent) -> None:
        """Take in what the engine reports."""
        if isinstance(event, events.NonFatalError):
            self.errors.append(f"{event.phase} {event.label}: {event.info.format()}")
        if isinstance(event, events.FatalError):
            self.errors.append("".join(traceback.format_exception(event.exception)))
        if isinstance(event, events.ScenarioFinished):
            self.cases += len(event.recorder.cases)
            for case_id, checks in event.recorder.checks.items():
                operation = event.recorder.cases[case_id].value.operation.label
                self.tried.add(operation)
                for node in checks:
                    if node.status is Status.FAILURE and node.failure_info is not None:
                        shown = f"{node.failure_info.failure}\n{node.failure_info.code_sample}"
                        self.findings.setdefault(Finding(operation, node.name), shown)


def play(name: str, base: str, fresh: Callable[[], str]) -> Run:
    """Run the checks over one app, always the same way.

    Args:
        name: of the app.
        base: URL of the host.
        fresh: makes a good token, asked before each call, for a call may end the one before.
    """
    made = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": f"{base}/{name}",
            "workers": 1,
            "continue-on-failure": True,
            "generation": {"deterministic": True, "max-examples": 5, "no-shrink": True, "database": "none"},
            "checks": {"enabled": False, **{check: {"enabled": True} for check in CHECKS}},
            "phases": {"stateful": {"max-steps": 6}},
        }
    )
    run = Run()

    @schemathesis.auth(refresh_interval=None)
    class _Fresh:
        def get(self, case: schemathesis.Case[Any], context: object) -> str:
            return fresh()

        def set(self, case: schemathesis.Case[Any], data: str, context: object) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    try:
        _run(name, made, run)
    finally:
        schemathesis.auths.unregister()
    return run


def _run(name: str, made: SchemathesisConfig, run: Run) -> None:
    for event in from_schema(schemathesis.openapi.from_dict(closed(document(name)), config=made)).execute():
        run.note(event)


def document(name: str) -> dict[str, Any]:
    """The frozen document of an app."""
    found: dict[str, Any] = yaml.safe_load((APPS / name / "contract" / "openapi.yaml").read_text("utf-8"))
    return found


def closed(found: dict[str, Any]) -> dict[str, Any]:
    """The document, taken at its word: an answer holds what is described and nothing else (attack A7)."""
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return found


def operations(found: Mapping[str, Any]) -> Iterator[str]:
    for path, item in found["paths"].items():
        yield from (f"{method.upper()} {path}" for method in item)


def baseline(name: str, *, certain: bool = False) -> set[Finding]:
    """The rows of an app; only those that must match when `certain`."""
    rows = [row for row in yaml.safe_load(BASELINE.read_text("utf-8")) if row["app"] == name]
    return {Finding(row["operation"], row["check"]) for row in rows if not (certain and row.get("sometimes"))}


async def a_phone(stand: Stand) -> Callable[[], str]:
    """The token of one user of the emoji app, which nothing ends."""
    phone = await stand.phone()
    return lambda: phone.token


async def a_customer(stand: Stand) -> Callable[[], str]:
    """A new session of one customer each time."""
    customer = await stand.customer()
    sessions = open_sessions(stand.host.kernel)
    loop, client = asyncio.get_running_loop(), Client(address="127.0.0.1", language="en")

    def fresh() -> str:
        opened = asyncio.run_coroutine_threadsafe(sessions.open(int(customer.user["id"]), client), loop)
        return opened.result().access_token

    return fresh


async def an_administrator(stand: Stand) -> Callable[[], str]:
    """A new session of one administrator of the chat app each time; of another one, after a call deleted the account."""
    accounts, sessions = chat.open_accounts(stand.host.kernel), chat.open_sessions(stand.host.kernel)
    loop, client, numbers, ids = asyncio.get_running_loop(), Client(address="127.0.0.1", language="en"), count(), [0]

    async def signed_in() -> str:
        try:
            return (await sessions.open(ids[-1], client)).access_token
        except (UserUnknown, UserBlocked):
            made = await accounts.create(f"admin{next(numbers)}@example.com", role=UserRole.ADMIN)
            ids.append(made.id)
            return (await sessions.open(made.id, client)).access_token

    return lambda: asyncio.run_coroutine_threadsafe(signed_in(), loop).result()


TOKENS: Mapping[str, Callable[[Stand], Awaitable[Callable[[], str]]]] = {
    "emoji": a_phone,
    "storefront": a_customer,
    "chat": an_administrator,
}


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the server of the stand does, beside it
@pytest.mark.parametrize("name", sorted(SPECS))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_app_does_what_its_document_says(stand_up: Any, name: str) -> None:
    """Nothing deviates but what the baseline names, and everything that it names still deviates."""
    stand: Stand = await stand_up(limits={"enabled": False})
    fresh = await TOKENS[name](stand)
    run = await asyncio.to_thread(play, name, stand.base, fresh)
    new = [f"{finding}\n{run.findings[finding]}" for finding in set(run.findings) - baseline(name)]
    stale = baseline(name, certain=True) - set(run.findings)

    assert not run.errors, "\n\n".join(run.errors)
    assert run.tried == set(operations(document(name)))
    assert run.cases >= LEAST_CASES
    assert not new, "\n\n".join(new)
    assert not stale, "rows of the baseline that nothing matches any more: remove them"


def test_every_row_of_the_baseline_has_its_reason() -> None:
    rows = yaml.safe_load(BASELINE.read_text("utf-8"))

    assert all(set(row) - {"sometimes"} == {"app", "operation", "check", "reason"} for row in rows)
    assert all(len(row["reason"]) > 20 for row in rows)
    assert {row["app"] for row in rows} <= set(SPECS)
    assert {row["check"] for row in rows} <= set(CHECKS)
