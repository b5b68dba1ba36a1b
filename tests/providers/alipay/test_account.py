"""Which Alipay an installation speaks to: its own sandbox, or, with keys of its own, the real one."""

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hutong.host.channels import open_channels
from hutong.host.settings import Settings, load_settings
from hutong.kernel.http.outbound import Outbound
from hutong.kernel.settings import SettingsRefused
from hutong.kit.clock import SystemClock
from hutong.providers.alipay.keys import KeyUnusable, private_key, public_key, spelled
from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY
from hutong.providers.alipay.settings import SANDBOX_APP_ID, SANDBOX_SELLER_ID, VENDOR_URL
from support.alipay_keys import sandbox_keys
from support.rsa_keys import private_pem, public_pem, rsa_key
from support.stand import Stand

OWN, THEIRS = "alipay application", "alipay"
PKCS1 = rsa_key(OWN).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
SPKI = rsa_key(THEIRS).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def real(tmp_path: Path, **changes: Any) -> Settings:
    """The settings of an installation that has an account at Alipay."""
    alipay = {
        "gateway_url": VENDOR_URL,
        "app_id": "2021000000000077",
        "seller_id": "2088000000000077",
        "private_key": private_pem(rsa_key(OWN)),
        "alipay_public_keys": [public_pem(rsa_key(THEIRS))],
    }
    return load_settings(env="test", data=tmp_path, alipay={**alipay, **changes})


def test_an_account_is_a_channel(tmp_path: Path) -> None:
    channels = open_channels(real(tmp_path), Outbound(allow_private=False), SystemClock())
    assert channels["alipay"].name == "alipay"
    assert channels["alipay"].currencies == {"CNY"}


@pytest.mark.parametrize("name", ["app_id", "seller_id", "private_key", "alipay_public_keys"])
def test_an_account_is_whole_or_refused(tmp_path: Path, name: str) -> None:
    nothing: Any = {"private_key": None, "alipay_public_keys": []}.get(name, "")
    with pytest.raises(SettingsRefused, match=f"HUTONG_ALIPAY__{name.upper()} must be set"):
        real(tmp_path, **{name: nothing})


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"app_id": SANDBOX_APP_ID}, "APP_ID"),
        ({"seller_id": SANDBOX_SELLER_ID}, "SELLER_ID"),
        ({"private_key": private_pem(rsa_key(APP_KEY))}, "the sandbox's keys"),
        ({"alipay_public_keys": [public_pem(rsa_key(THEIRS)), public_pem(rsa_key(ALIPAY_KEY))]}, "the sandbox's keys"),
        ({"private_key": "/nowhere/key.pem"}, "cannot be read"),
        ({"private_key": "MIIabc"}, "PRIVATE_KEY"),
        ({"alipay_public_keys": ["MIIabc"]}, "ALIPAY_PUBLIC_KEYS"),
        ({"gateway_url": "ftp://x"}, "GATEWAY_URL"),
        ({"gateway_url": "https://x/?a=1"}, "GATEWAY_URL"),
        ({"seller_id": "2099000000000077"}, "SELLER_ID"),
    ],
)
def test_what_belongs_to_the_sandbox_or_is_no_key_is_refused(
    tmp_path: Path, changes: dict[str, Any], because: str
) -> None:
    """The message names the setting, and never holds a key."""
    sandbox_keys(tmp_path)
    with pytest.raises(SettingsRefused, match=because) as caught:
        real(tmp_path, **changes)
    assert "PRIVATE KEY" not in str(caught.value)


def test_production_has_no_alipay_of_its_own(tmp_path: Path) -> None:
    """Without an account there is no such channel there, and an account is called over https only."""
    settings = load_settings(env="test", data=tmp_path).model_copy(update={"env": "production"})
    assert not settings.alipay_sandboxed
    assert "alipay" not in open_channels(settings, Outbound(allow_private=False), SystemClock())
    account = real(tmp_path).alipay.model_dump() | {"gateway_url": "http://openapi.alipay.com/gateway.do"}
    secret = "abcdefghijklmnopqrstuvwxyz-0123456789"
    with pytest.raises(SettingsRefused, match="https"):
        load_settings(env="production", data=tmp_path, secret=secret, alipay=account)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_outside_production_the_sandbox_is_there(stand: Stand) -> None:
    """Mounted, with keys that it made for itself, and called by the installation's own channel."""
    channel = stand.host.kernel.channels["alipay"]
    await channel.ping()
    async with stand.client.get(f"{stand.base}/sandbox/alipay/") as answer:
        assert answer.status == 200
    async with stand.client.get(f"{stand.base}/") as answer:
        assert "/sandbox/alipay/" in await answer.text()


@pytest.mark.parametrize("spelling", ["pem", "bare", "wrapped", "one line", "file"])
def test_keys_as_operators_have_them(tmp_path: Path, spelling: str) -> None:
    pem, bare = private_pem(rsa_key(OWN)), base64.b64encode(PKCS1).decode()
    (tmp_path / "key.pem").write_text(pem)
    given = {
        "pem": pem,
        "bare": bare,
        "wrapped": "\n".join(bare[at : at + 64] for at in range(0, len(bare), 64)),
        "one line": pem.replace("\n", "\\n"),
        "file": str(tmp_path / "key.pem"),
    }[spelling]
    assert private_key(given).private_numbers() == rsa_key(OWN).private_numbers()


@pytest.mark.parametrize("given", [public_pem(rsa_key(THEIRS)), base64.b64encode(SPKI).decode()])
def test_alipay_s_key_as_its_console_gives_it(given: str) -> None:
    assert spelled(public_key(given)) == spelled(rsa_key(THEIRS).public_key())


def test_other_keys_are_refused() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for wrong in (pem, private_pem(rsa_key("short", 1024)), public_pem(rsa_key(OWN)), "", "-----BEGIN x"):
        with pytest.raises(KeyUnusable):
            private_key(wrong)
    for wrong in (public_pem(rsa_key("short", 1024)), private_pem(rsa_key(OWN)), "MIIB", "/"):
        with pytest.raises(KeyUnusable):
            public_key(wrong)
