"""The times and sizes in deploy/ hang together with each other and with the application's own."""

import re
from pathlib import Path

import pytest

from hutong.host.asgi import FILES_BODY
from hutong.host.processes import KEEP_ALIVE_SECONDS
from hutong.host.settings import load_settings
from hutong.host.wiring import SPECS

DEPLOY = Path(__file__).parents[2] / "deploy"
SITE = (DEPLOY / "nginx/hutong.conf").read_text("utf-8")
UNITS = {path.name: path.read_text("utf-8") for path in (DEPLOY / "systemd").glob("*.service")}
MIB = 1024 * 1024


def _number(pattern: str, text: str) -> float:
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return float(found)


def _kept_idle() -> float:
    """Seconds that Nginx keeps an idle connection to a process."""
    (upstream,) = re.findall(r"^upstream hutong \{(.*?)^\}", SITE, re.MULTILINE | re.DOTALL)
    return _number(r"^\s+keepalive_timeout ([\d.]+)s;", upstream)


def test_nginx_lets_go_of_a_connection_before_a_leaving_process_does() -> None:
    notice = _number(r"HUTONG_HTTP__NOTICE_SECONDS=([\d.]+)$", UNITS["hutong-api@.service"])

    assert _kept_idle() + 1 <= notice
    assert _kept_idle() < KEEP_ALIVE_SECONDS


def test_systemd_waits_until_everything_has_drained() -> None:
    settings = load_settings(env="test")
    notice = _number(r"HUTONG_HTTP__NOTICE_SECONDS=([\d.]+)$", UNITS["hutong-api@.service"])
    patience = {name: _number(r"^TimeoutStopSec=(\d+)$", UNITS[name]) for name in UNITS if "@" in name}

    assert patience["hutong-api@.service"] >= notice + settings.http.drain_seconds + 5
    assert patience["hutong-worker@.service"] >= settings.jobs.drain_seconds + 5


@pytest.mark.parametrize(
    ("place", "cap"),
    [
        (r"^    client_max_body_size (\d+)m;", load_settings(env="test").http.max_body_bytes),
        (r"emoji/upload\$ \{\n\s+client_max_body_size (\d+)m;", SPECS["emoji"].larger_bodies["/api/v1/emoji/upload"]),
        (r"location /files/ \{\n\s+client_max_body_size (\d+)m;", FILES_BODY),
    ],
)
def test_nginx_lets_a_little_more_through_than_the_app_takes(place: str, cap: int) -> None:
    """So that the refusal is the app's own, and no process is sent what it refuses anyway."""
    let_through = _number(place, SITE) * MIB

    assert cap < let_through <= cap + 2 * MIB


def test_every_unit_stops_with_the_signal_that_drains_and_runs_as_an_ordinary_user() -> None:
    assert set(UNITS) == {"hutong-api@.service", "hutong-worker@.service", "hutong-migrate.service"}
    for unit in UNITS.values():
        assert "User=hutong" in unit.splitlines()
    for name in ("hutong-api@.service", "hutong-worker@.service"):
        assert "KillSignal=SIGTERM" in UNITS[name].splitlines()
