"""The compose files, read as Docker Compose would read them, for Docker is not here: names, mounts, settings, the proxy."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hutong.host.cli.run import serve, up, worker
from hutong.host.reference.settings_page import list_settings
from hutong.host.settings import load_settings
from support.binaries import NGINX, find

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "compose"
FILES = {"production": FOLDER / "compose.yaml", "development": FOLDER / "compose.dev.yaml"}
EXAMPLE = (FOLDER / "production.env.example").read_text("utf-8")
SECRET = "vV3-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP"
KEYS = f'[{{"kid": "2026-11", "secret": "{SECRET}"}}]'
FILLED: Mapping[str, str] = {
    "HUTONG_SECRET": SECRET,
    "HUTONG_CHAT__TOKENS__KEYS": KEYS,
    "HUTONG_EMOJI__TOKENS__KEYS": KEYS,
    "HUTONG_STOREFRONT__TOKENS__KEYS": KEYS,
    "HUTONG_OPENAI__PROVIDERS": '[{"name":"openai","base_url":"https://api.openai.com/v1","api_key":"sk-of-their-own"}]',
    "HUTONG_DASHSCOPE__API_KEY": "sk-an-account-of-their-own",
    "HUTONG_SMTP__USERNAME": "no-reply@example.com",
    "HUTONG_SMTP__PASSWORD": "a password",
    "POSTGRES_PASSWORD": "a-password",
    "GRAFANA_PASSWORD": "another-password",
}
NOT_OURS = {"HUTONG_PROMETHEUS_URL"}
"""A variable of Grafana's provisioning."""


def compose(kind: str) -> dict[str, Any]:
    return dict(yaml.safe_load(FILES[kind].read_text("utf-8")))


def services(kind: str) -> dict[str, dict[str, Any]]:
    return dict(compose(kind)["services"])


def example() -> dict[str, str]:
    """The variables of the example."""
    lines = [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def named(kind: str) -> set[str]:
    """Every variable of Hutong in a file."""
    return set(re.findall(r"\bHUTONG_\w+", FILES[kind].read_text("utf-8"))) - NOT_OURS


def mounts(kind: str) -> Iterator[tuple[str, str]]:
    for name, service in services(kind).items():
        for volume in service.get("volumes", ()):
            yield name, volume.split(":")[0]


@pytest.mark.parametrize("kind", FILES)
def test_every_variable_is_a_setting(kind: str) -> None:
    known = {setting.variable for setting in list_settings()}

    assert named(kind) - known == set()
    assert {name for name in example() if name.startswith("HUTONG_")} - known == set()


@pytest.mark.parametrize("kind", FILES)
def test_everything_that_a_service_leans_on_is_there(kind: str) -> None:
    content, parts = compose(kind), services(kind)

    for service in parts.values():
        assert "image" in service or "build" in service
        assert set(service.get("depends_on", ())) <= set(parts)
        assert set(service.get("networks", ())) <= set(content.get("networks", ()))
        for other, condition in dict.fromkeys(service.get("depends_on", ())).items():
            assert condition is None or other in parts
    for _, source in mounts(kind):
        assert source in content["volumes"] or (FOLDER / source).exists(), source
    for service in parts.values():
        if "build" in service:
            assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("kind", FILES)
def test_a_service_that_is_waited_for_says_when_it_is_healthy(kind: str) -> None:
    parts = services(kind)
    for service in parts.values():
        waits = service.get("depends_on", {})
        if isinstance(waits, dict):
            healthy = [name for name, how in waits.items() if how["condition"] == "service_healthy"]
            assert all("healthcheck" in parts[name] for name in healthy)


def test_development_has_what_the_contract_names() -> None:
    assert {"app", "postgres", "redis", "adminer", "redis-commander"} <= set(services("development"))
    assert services("development")["app"]["develop"]["watch"]
    for service in services("development").values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_production_has_what_the_contract_names_and_only_the_proxy_faces_the_world() -> None:
    parts = services("production")

    assert {"api", "worker", "migrate", "postgres", "redis", "nginx", "prometheus", "grafana"} <= set(parts)
    open_ = {name for name, part in parts.items() if any(not str(p).startswith("127.") for p in part.get("ports", ()))}
    assert open_ == {"nginx"}
    for name in ("postgres", "redis"):
        assert any(not volume.startswith(".") for volume in parts[name]["volumes"])
    assert set(example()) >= set(re.findall(r"\$\{(\w+):\?", FILES["production"].read_text("utf-8")))


def test_the_example_filled_in_is_a_production_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what compose adds; as it is, it lacks every secret."""
    for name in [name for name in os.environ if name.startswith("HUTONG_")]:
        monkeypatch.delenv(name)
    given = {**example(), **FILLED}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for name, value in services("production")["api"]["environment"].items():
        monkeypatch.setenv(name, value.replace("${POSTGRES_PASSWORD:?set it in production.env}", "a-password"))

    settings = load_settings()

    assert settings.production
    assert settings.database_url == "postgresql://hutong:a-password@postgres:5432/hutong"
    assert {name for name, value in example().items() if not value} == set(FILLED)


def test_what_the_processes_are_started_with_is_what_they_know() -> None:
    """Options of the commands, by the functions behind them."""
    api, work = services("production")["api"]["command"], services("production")["worker"]["command"]
    dev = services("development")["app"]["command"]

    for words, function in ((api, serve), (work, worker), (dev, up)):
        assert words[0] == function.__name__
        options = {word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}
        assert options <= set(function.__annotations__)
    (port,) = re.findall(r"names: \[worker\], type: A, port: (\d+)", (FOLDER / "prometheus.yml").read_text("utf-8"))
    assert port == work[work.index("--metrics-port") + 1]


def test_the_containers_are_given_time_to_drain() -> None:
    settings = load_settings(env="test")
    notice = float(services("production")["api"]["environment"]["HUTONG_HTTP__NOTICE_SECONDS"])
    patience = {name: float(services("production")[name]["stop_grace_period"][:-1]) for name in ("api", "worker")}

    assert patience["api"] >= notice + settings.http.drain_seconds + 5
    assert patience["worker"] >= settings.jobs.drain_seconds + 5


def test_the_networks_of_the_proxy_are_those_that_are_trusted() -> None:
    (network,) = compose("production")["networks"]["inside"]["ipam"]["config"]

    trusted = services("production")["api"]["environment"]["HUTONG_HTTP__TRUSTED_PROXIES"]
    assert trusted == f'["{network["subnet"]}"]'


def test_the_image_leaves_data_and_secrets_behind() -> None:
    """The build sees only what is named, and runs as an ordinary user."""
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    image = (FOLDER / "Dockerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", image, re.MULTILINE)

    assert "*" in ignored
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert {word for words in copied for word in words.split()} <= allowed
    assert all((DEPLOY.parent / name).exists() for name in allowed)
    assert image.index("USER hutong") < image.index("ENTRYPOINT")


@pytest.mark.server
def test_nginx_reads_the_site(tmp_path: Path) -> None:
    site = (FOLDER / "nginx.conf").read_text("utf-8").replace("listen 80;", f"listen unix:{tmp_path}/s;")
    assert "X-Forwarded-For $proxy_add_x_forwarded_for" in site
    (tmp_path / "site.conf").write_text(site, "utf-8")
    places = "".join(f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {places} include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(main, "utf-8")

    command = [str(find(NGINX)), "-t", "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert tried.returncode == 0, tried.stderr
