"""What the house promises about itself: brass plates, lock files, continuous integration, production."""

import ast
import inspect
import io
import os
import re
import stat
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from hutong.host.asgi import HostApp
from hutong.host.sandboxes import Sandboxes
from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from hutong.kernel.settings import SettingsRefused
from support.http import http_client, serving
from support.production import PRODUCTION, STRONG

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hutong"
PLATES = sorted(SOURCE.rglob("__init__.py"))
CODE = sorted(SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(SOURCE.parent).as_posix()


# Brass plates


@pytest.mark.parametrize("path", PLATES, ids=_name)
def test_every_package_says_what_lives_there_and_where_its_page_is(path: Path) -> None:
    plate = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    pages = re.findall(r"docs/[\w./-]*\w/?", plate)

    assert 1 <= len(re.findall(r"\.(?=\s|$)", plate)) <= 5
    assert pages, "the docstring names no page under docs/"
    assert [page for page in pages if not (ROOT / page).exists()] == []


def test_every_folder_with_code_is_a_package() -> None:
    assert {path.parent for path in CODE} - {path.parent for path in PLATES} == set()


# Nothing unfinished


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_nothing_is_left_to_be_done(path: Path) -> None:
    text = path.read_text("utf-8")
    names = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)]

    assert "NotImplementedError" not in names
    assert re.findall(r"\b(TODO|FIXME|XXX|HACK)\b", text) == []


# Lock files and continuous integration


LOCKS = ["requirements.lock", "requirements-dev.lock"]
LOCKS += [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("benchmarks/peers/*.in"))]


@pytest.mark.parametrize("name", [name.replace(".in", ".lock") for name in LOCKS])
def test_lock_files_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert "://" not in text
    assert "--index-url" not in text
    assert all("==" in line for line in text.splitlines() if re.match(r"[a-z]", line))


def test_continuous_integration_runs_what_a_laptop_runs() -> None:
    script = ROOT / ".ci" / "run"

    assert "make test" in script.read_text("utf-8").splitlines()
    assert script.stat().st_mode & stat.S_IXUSR


# Production


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """The environment of a production process that lacks nothing; a test takes something away."""
    for name in [name for name in os.environ if name.startswith("HUTONG_")]:
        monkeypatch.delenv(name)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)  # where no config.yaml is
    yield monkeypatch
    assert list(tmp_path.iterdir()) == [], "secrets were made where they have to be given"


def test_production_starts_with_secrets_of_its_own(production: pytest.MonkeyPatch) -> None:
    settings = load_settings()

    assert settings.production
    assert not settings.sandboxed
    assert settings.realm_keys("emoji", settings.emoji.tokens)[-1].kid == "2026-11"
    assert STRONG not in repr(settings)
    assert STRONG not in settings.model_dump_json()


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "HUTONG_ENV"])
def test_production_refuses_to_go_without(production: pytest.MonkeyPatch, missing: str) -> None:
    production.delenv(missing)

    with pytest.raises(SettingsRefused, match=missing):
        load_settings()


REFUSED: Mapping[str, tuple[str, str]] = {
    "a short secret": ("HUTONG_SECRET", "s3cr3t"),
    "a monotonous secret": ("HUTONG_SECRET", "abcabc" * 8),
    "a placeholder": ("HUTONG_SECRET", "changeme-changeme-0123456789-abcdefgh"),
    "an example": ("HUTONG_SECRET", "this-is-an-example-of-a-secret-0123456789"),
    "a short signing key": ("HUTONG_EMOJI__TOKENS__KEYS", '[{"kid": "1", "secret": "s3cr3t"}]'),
    "a placeholder as signing key": (
        "HUTONG_EMOJI__TOKENS__KEYS",
        '[{"kid": "1", "secret": "your-secret-goes-here-0123456789-abcdef"}]',
    ),
    "the sandbox's key": ("HUTONG_DASHSCOPE__API_KEY", "sk-sandbox"),
    "mails in clear": ("HUTONG_SMTP__SECURITY", "plain"),
    "a sender that is none": ("HUTONG_SMTP__SENDER", "Lantern"),
    "a short sealing key": ("HUTONG_SEALING__KEYS", '["s3cr3t"]'),
    "failpoints": ("HUTONG_FAILPOINTS", "/orders"),
}


@pytest.mark.parametrize(("name", "value"), REFUSED.values(), ids=REFUSED)
def test_production_refuses(production: pytest.MonkeyPatch, name: str, value: str) -> None:
    production.setenv(name, value)

    with pytest.raises(SettingsRefused, match=name) as refusal:
        load_settings()
    assert "s3cr3t" not in str(refusal.value)


BUCKETS: Mapping[str, Mapping[str, str]] = {
    "oss": {
        "HUTONG_OSS__ENDPOINT": "https://oss-cn-beijing-internal.aliyuncs.com",
        "HUTONG_OSS__ACCESS_KEY_ID": "LTAI-an-account-of-their-own",
        "HUTONG_OSS__ACCESS_KEY_SECRET": STRONG,
    },
    "s3": {
        "HUTONG_S3__BUCKET": "photos",
        "HUTONG_S3__ACCESS_KEY_ID": "AKIA-an-account-of-their-own",
        "HUTONG_S3__SECRET_ACCESS_KEY": STRONG,
    },
}


@pytest.mark.parametrize("kind", BUCKETS)
def test_production_needs_a_bucket_of_its_own(production: pytest.MonkeyPatch, kind: str) -> None:
    production.setenv("HUTONG_FILES__STORAGE", kind)
    for name, value in BUCKETS[kind].items():
        production.setenv(name, value)
    assert STRONG not in repr(load_settings())
    for name in BUCKETS[kind]:
        production.delenv(name)
        with pytest.raises(SettingsRefused, match=name):
            load_settings()
        production.setenv(name, BUCKETS[kind][name])


@pytest.mark.parametrize("kind", ["disk", "oss", "s3"])
def test_only_the_chosen_storages_library_is_imported(tmp_path: Path, kind: str) -> None:
    """The vendor's client alone takes a quarter of a second to import."""
    code = (
        "import sys; from hutong.host.asgi import HostApp; from hutong.host.wiring import Host\n"
        "from hutong.host.settings import load_settings\n"
        "Host(load_settings(env='test'))\n"
        "print(*({'alibabacloud_oss_v2', 'obstore'} & sys.modules.keys()))"
    )
    chosen = {**BUCKETS["s3"], "HUTONG_FILES__STORAGE": kind, "HUTONG_DATA": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env={**os.environ, **chosen}, capture_output=True, check=True)
    library = {"disk": "", "oss": "alibabacloud_oss_v2", "s3": "obstore"}[kind]
    assert found.stdout.decode().strip() == library


def test_production_may_hand_mails_to_a_relay_on_its_own_machine(production: pytest.MonkeyPatch) -> None:
    production.setenv("HUTONG_SMTP__HOST", "127.0.0.1")
    production.setenv("HUTONG_SMTP__SECURITY", "plain")

    assert load_settings().smtp.security == "plain"


def test_production_starts_no_sandbox(production: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsRefused, match="sandboxes"):
        Sandboxes(load_settings())


@pytest.mark.parametrize("weak", ["s3cr3t", "changeme-changeme-0123456789-abcdefgh"])
def test_a_weak_secret_is_refused_on_a_laptop_too(production: pytest.MonkeyPatch, weak: str) -> None:
    production.setenv("HUTONG_ENV", "development")
    production.setenv("HUTONG_SECRET", weak)

    with pytest.raises(SettingsRefused, match="secret"):
        load_settings()


def test_a_laptop_keeps_secrets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two data folders share none, one keeps its own, and nobody else can read them."""
    monkeypatch.delenv("HUTONG_SECRET", raising=False)
    one, other = (load_settings(env="development", data=tmp_path / name) for name in ("one", "other"))

    secret = one.file_secret.get_secret_value()

    assert secret == load_settings(env="development", data=tmp_path / "one").file_secret.get_secret_value()
    assert secret != other.file_secret.get_secret_value()
    assert secret != one.realm_keys("emoji", one.emoji.tokens)[0].secret.get_secret_value()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "one" / "secrets").iterdir()}
    assert modes == {0o600}


DOCS = [
    f"/{app}/{page}" for app in ("emoji", "storefront", "chat") for page in ("docs", "openapi.json", "docs/start.js")
]


async def test_production_describes_no_api_and_starts_nothing_local(
    production: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    production.setenv("HUTONG_DATA", str(tmp_path_factory.mktemp("production")))
    production.setenv("HUTONG_STORE_URL", "redis://127.0.0.1:1/0")
    host = Host(load_settings())
    async with serving(HostApp(host)) as base, http_client() as client:
        answers = {}
        for path in (
            "/emoji/docs",
            "/emoji/openapi.json",
            "/emoji/docs/start.js",
            "/sandbox/dashscope/",
            "/sandbox/mail/",
            "/livez",
        ):
            async with client.get(base + path) as answer:
                answers[path] = answer.status
        async with client.get(f"{base}/") as answer:
            front = await answer.text()
    await host.stop()

    assert answers.pop("/livez") == 200
    assert set(answers.values()) == {404}
    assert "docs" not in front
    assert "sandbox" not in front


# Hot paths


async def test_no_request_waits_for_a_thread(tmp_path: Path) -> None:
    """FastAPI runs plain functions in a thread, 150 µs each: endpoints and dependencies are coroutines all."""
    host = Host(load_settings(env="test", data=tmp_path, store_url="redis://127.0.0.1:1/0"))
    calls = [call for spec in host.specs for call in _calls(spec.create_app(host.kernel).routes)]
    await host.stop()

    assert len(calls) > 20
    assert [name for name, plain in calls if plain] == []


def _calls(routes: Sequence[object]) -> Iterator[tuple[str, bool]]:
    """What each route calls, by name, and whether it is a plain function."""
    for route in routes:
        if isinstance(included := getattr(route, "original_router", None), APIRouter):
            yield from _calls(included.routes)
        waiting = [route.dependant] if isinstance(route, APIRoute) else []
        while waiting:
            found = waiting.pop()
            waiting += found.dependencies
            target = found.call if inspect.isroutine(found.call) else getattr(found.call, "__call__", None)  # noqa: B004
            yield str(found.call), not inspect.iscoroutinefunction(target)
