"""Which providers there are, in development, under test and in production."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from hutong.kernel.gateway.errors import ModelUnknown, ProviderFailed, RealCallsForbidden
from hutong.kernel.settings import SettingsRefused
from support.chat_bench import CALL
from support.production import PRODUCTION

VENDOR = {"name": "openai", "base_url": "https://api.openai.com/v1", "api_key": "sk-their-own-account"}


def _with(monkeypatch: pytest.MonkeyPatch, *providers: dict[str, Any]) -> None:
    monkeypatch.setenv("HUTONG_OPENAI__PROVIDERS", json.dumps(providers))


def test_on_a_laptop_the_sandbox_answers(tmp_path: Path) -> None:
    settings = load_settings(env="development", data=tmp_path)

    assert [(provider.name, provider.base_url) for provider in settings.chat_providers] == [("openai", "")]
    assert settings.openai_sandboxed


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "the sandbox in production": ("production", {"name": "openai"}, "base_url"),
    "the sandbox's key at a real provider": ("development", VENDOR | {"api_key": "sk-sandbox"}, "api_key"),
    "a key in clear": ("production", VENDOR | {"base_url": "http://api.openai.com/v1"}, "https"),
    "a name that no route can hold": ("development", VENDOR | {"name": "Open AI"}, "name|NAME"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    env, provider, reason = REFUSED[name]
    for variable, value in PRODUCTION.items():
        monkeypatch.setenv(variable, value)
    _with(monkeypatch, provider)

    with pytest.raises(SettingsRefused, match=reason) as refusal:
        load_settings(env=env, data=tmp_path)
    assert "their-own-account" not in str(refusal.value)


def test_two_providers_cannot_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, VENDOR, VENDOR)

    with pytest.raises(SettingsRefused, match="same name"):
        load_settings(env="test")


def test_production_takes_what_lies_in_its_own_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, value in PRODUCTION.items():
        monkeypatch.setenv(variable, value)
    inside = {"name": "local", "base_url": "http://10.1.2.3:8000/v1", "private": True}
    _with(monkeypatch, VENDOR, inside)

    settings = load_settings(data=tmp_path)

    assert [provider.name for provider in settings.chat_providers] == ["openai", "local"]
    assert not settings.openai_sandboxed
    assert "their-own-account" not in repr(settings)


async def test_production_without_providers_has_no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, value in PRODUCTION.items():
        monkeypatch.setenv(variable, value)
    host = Host(load_settings(data=tmp_path, store_url="redis://127.0.0.1:1/0"))

    assert host.kernel.gateway.chats.models(vip=True) == []
    with pytest.raises(ModelUnknown):
        await host.kernel.gateway.chats.complete(CALL, vip=True)
    await host.stop()


@pytest.mark.parametrize("forbidden", [True, False])
async def test_under_test_no_call_leaves_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forbidden: bool
) -> None:
    """Not even if a key is lying about. The switch itself is tried with a name that resolves nowhere."""
    _with(monkeypatch, VENDOR | {"base_url": "https://provider.invalid/v1"})
    chosen = {"models": {"forbid_real_calls": "auto" if forbidden else "no", "tries": 1}}
    host = Host(load_settings(env="test", data=tmp_path, store_url="redis://127.0.0.1:1/0", **chosen))
    call = replace(CALL, model="gpt-4o-mini")

    with pytest.raises(ProviderFailed) as failure:
        await host.kernel.gateway.chats.complete(call, vip=False)

    assert isinstance(failure.value, RealCallsForbidden) is forbidden
    await host.stop()
