"""The times and sizes in deploy/ hang together with each other and with the application's own."""

import os
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
        (
            r"conversations/import\$ \{\n\s+client_max_body_size (\d+)m;",
            SPECS["chat"].larger_bodies["/api/v1/conversations/import"],
        ),
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


def test_the_sample_settings_of_the_storefront_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sections that its seed names, type-checked, with the seed's pool of 20 + 40; secrets come from elsewhere."""
    for name in [name for name in os.environ if name.startswith("HUTONG_")]:
        monkeypatch.delenv(name)
    secret = "vV3-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP"
    keys = f'[{{"kid": "2026-11", "secret": "{secret}"}}]'
    monkeypatch.setenv("HUTONG_CONFIG", str(DEPLOY / "config/storefront.yaml"))
    monkeypatch.setenv("HUTONG_SECRET", secret)
    monkeypatch.setenv("HUTONG_STOREFRONT__TOKENS__KEYS", keys)
    monkeypatch.setenv("HUTONG_EMOJI__TOKENS__KEYS", keys)
    monkeypatch.setenv("HUTONG_CHAT__TOKENS__KEYS", keys)
    monkeypatch.setenv("HUTONG_SMTP__PASSWORD", "a password")
    monkeypatch.setenv("HUTONG_DASHSCOPE__BASE_URL", "https://dashscope.aliyuncs.com/api/v1")
    monkeypatch.setenv("HUTONG_DASHSCOPE__API_KEY", "sk-an-account-of-their-own")
    settings = load_settings()
    app = settings.storefront

    assert settings.production and settings.public_url == "https://shop.example.com"
    assert (settings.database.pool, settings.database.overflow) == (20, 40)
    assert settings.database_url.startswith("mariadb://") and settings.store_url.startswith("redis://")
    assert (settings.auth.lock_after_failures, settings.auth.lock_minutes) == (5, 30)
    assert (settings.auth.code_minutes, settings.auth.code_tries, settings.auth.code_pause_seconds) == (10, 5, 60)
    assert settings.smtp.host == "smtp.example.com"
    assert (app.sessions.access_seconds, app.sessions.refresh_seconds, app.sessions.grace_seconds) == (
        86400,
        604800,
        30,
    )
    assert (app.orders.expiry_seconds, app.orders.late_payment) == (1800, "revive")
