"""Which account a process has: the sandbox's, a real one that is whole, or none; and what is refused."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hutong.host.channels import open_channels
from hutong.host.settings import Settings, load_settings
from hutong.kernel.http.outbound import Outbound
from hutong.kernel.settings import SettingsRefused
from hutong.kit.clock import SystemClock
from hutong.providers.wechat.pay import settings as known
from hutong.providers.wechat.pay.client import WechatPay
from hutong.providers.wechat.pay.credentials import credentials_of
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys
from hutong.providers.wechat.pay.settings import PlatformKey, WechatPaySettings
from hutong.providers.wechat.pay.v2 import WechatPayV2
from hutong.sandbox.payments.keys import private_pem, public_pem
from support.production import PRODUCTION

URL = "https://api.mch.weixin.qq.com"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("HUTONG_")]:
        monkeypatch.delenv(name)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HUTONG_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def account(keys: SandboxKeys, tmp_path: Path) -> Mapping[str, str]:
    """A real account's variables; the keys lie in files, as a deployment has them."""
    (tmp_path / "merchant.pem").write_text(private_pem(keys.merchant))
    (tmp_path / "both.pem").write_text("certificate and key")
    pinned = [{"id": PLATFORM_ID, "pem": public_pem(keys.platform)}]
    return {
        "HUTONG_WECHAT_PAY__BASE_URL": URL,
        "HUTONG_WECHAT_PAY__APPID": "wxd930ea5d5a258f4f",
        "HUTONG_WECHAT_PAY__MCHID": "1900009191",
        "HUTONG_WECHAT_PAY__SERIAL": "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        "HUTONG_WECHAT_PAY__PRIVATE_KEY": str(tmp_path / "merchant.pem"),
        "HUTONG_WECHAT_PAY__APIV3_KEY": "an-apiv3-key-of-their-own-012345",
        "HUTONG_WECHAT_PAY__PLATFORM_KEYS": json.dumps(pinned),
        "HUTONG_WECHAT_PAY_V2__BASE_URL": URL,
        "HUTONG_WECHAT_PAY_V2__APPID": "wxd930ea5d5a258f4f",
        "HUTONG_WECHAT_PAY_V2__MCHID": "1900009191",
        "HUTONG_WECHAT_PAY_V2__KEY": "a-v2-key-of-their-own-0123456789",
        "HUTONG_WECHAT_PAY_V2__CERTIFICATE": str(tmp_path / "both.pem"),
    }


def channels(settings: Settings) -> Mapping[str, object]:
    return open_channels(settings, Outbound(allow_private=True), SystemClock())


def test_a_laptop_has_the_sandboxs_account(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUTONG_ENV", "development")

    settings = load_settings()

    assert settings.wechat_pay_sandboxed
    assert {"wechat", "wechat_v2"} <= channels(settings).keys()


def test_production_without_an_account_has_no_such_channel(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()

    assert not settings.wechat_pay_sandboxed
    assert not {"wechat", "wechat_v2"} & channels(settings).keys()


def test_production_with_an_account_has_both(environment: pytest.MonkeyPatch, account: Mapping[str, str]) -> None:
    for name, value in account.items():
        environment.setenv(name, value)

    settings = load_settings()
    made = channels(settings)

    assert isinstance(made["wechat"], WechatPay)
    assert isinstance(made["wechat_v2"], WechatPayV2)
    shown = settings.model_dump_json() + repr(settings)
    for name in ("HUTONG_WECHAT_PAY__APIV3_KEY", "HUTONG_WECHAT_PAY_V2__KEY"):
        assert account[name] not in shown


@pytest.mark.parametrize("name", ["APPID", "MCHID", "SERIAL", "PRIVATE_KEY", "APIV3_KEY", "PLATFORM_KEYS"], ids=str)
def test_an_account_that_lacks_something_does_not_start(
    environment: pytest.MonkeyPatch, account: Mapping[str, str], name: str
) -> None:
    for variable, value in account.items():
        if variable != f"HUTONG_WECHAT_PAY__{name}":
            environment.setenv(variable, value)

    with pytest.raises(SettingsRefused, match=f"HUTONG_WECHAT_PAY__{name}"):
        load_settings()


@pytest.mark.parametrize("name", ["APPID", "MCHID", "KEY", "CERTIFICATE"])
def test_an_account_of_the_older_api_that_lacks_something_does_not_start(
    environment: pytest.MonkeyPatch, account: Mapping[str, str], name: str
) -> None:
    for variable, value in account.items():
        if variable != f"HUTONG_WECHAT_PAY_V2__{name}":
            environment.setenv(variable, value)

    with pytest.raises(SettingsRefused, match=f"HUTONG_WECHAT_PAY_V2__{name}"):
        load_settings()


REFUSED = {
    "the sandbox's merchant": ("HUTONG_WECHAT_PAY__MCHID", known.SANDBOX_MCHID),
    "the sandbox's APIv3 key": ("HUTONG_WECHAT_PAY__APIV3_KEY", known.SANDBOX_APIV3_KEY),
    "the sandbox's v2 key": ("HUTONG_WECHAT_PAY_V2__KEY", known.SANDBOX_V2_KEY),
    "an empty v2 key": ("HUTONG_WECHAT_PAY_V2__KEY", ""),
    "a short APIv3 key": ("HUTONG_WECHAT_PAY__APIV3_KEY", "short"),
    "plain http": ("HUTONG_WECHAT_PAY__BASE_URL", "http://api.mch.weixin.qq.com"),
    "a URL with a query": ("HUTONG_WECHAT_PAY__NOTIFY_URL", "https://shop.example.com/notify?x=1"),
    "another scheme": ("HUTONG_WECHAT_PAY_V2__SIGN_TYPE", "none"),
}


@pytest.mark.parametrize(("name", "value"), REFUSED.values(), ids=REFUSED)
def test_production_refuses(environment: pytest.MonkeyPatch, account: Mapping[str, str], name: str, value: str) -> None:
    for variable, given in account.items():
        environment.setenv(variable, given)
    environment.setenv(name, value)

    with pytest.raises(SettingsRefused, match="HUTONG_WECHAT_PAY"):
        load_settings()


WRONG_KEYS = {
    "no such file": ("private_key", "/nowhere/merchant.pem"),
    "a public key": ("private_key", "PUBLIC"),
    "no key": ("private_key", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"),
    "a platform key that is none": ("platform_keys", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"),
    "a private platform key": ("platform_keys", "PRIVATE"),
}


@pytest.mark.parametrize(("field", "value"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_what_is_no_key_is_named(keys: SandboxKeys, field: str, value: str) -> None:
    """And the message holds nothing of it."""
    pem = {"PUBLIC": public_pem(keys.merchant), "PRIVATE": private_pem(keys.merchant)}.get(value, value)
    given = {
        "base_url": URL,
        "appid": "wxd930ea5d5a258f4f",
        "mchid": "1900009191",
        "serial": "1DDE55AD98",
        "private_key": private_pem(keys.merchant),
        "apiv3_key": "an-apiv3-key-of-their-own-012345",
        "platform_keys": [{"id": PLATFORM_ID, "pem": public_pem(keys.platform)}],
    }
    given |= {field: [{"id": PLATFORM_ID, "pem": pem}] if field == "platform_keys" else pem}

    with pytest.raises(SettingsRefused, match=f"HUTONG_WECHAT_PAY__{field.upper()}") as refused:
        credentials_of(WechatPaySettings.model_validate(given))
    assert "BEGIN" not in str(refused.value)


def test_keys_may_stand_in_the_variable_itself(keys: SandboxKeys) -> None:
    """With real ends of lines, or with `\\n` in their place, as some stores of secrets give them."""
    for pem in (private_pem(keys.merchant), private_pem(keys.merchant).replace("\n", "\\n")):
        chosen = WechatPaySettings.model_validate(
            {
                "base_url": URL,
                "appid": "wxd930ea5d5a258f4f",
                "mchid": "1900009191",
                "serial": "1dde55ad98",
                "private_key": pem,
                "apiv3_key": "an-apiv3-key-of-their-own-012345",
                "platform_keys": [{"id": PlatformKey(id=PLATFORM_ID, pem="x").id, "pem": public_pem(keys.platform)}],
            }
        )
        own = credentials_of(chosen)
        assert private_pem(own.private_key) == private_pem(keys.merchant)
        assert own.serial == "1DDE55AD98"
