"""Keys of the Alipay sandbox for tests: put into a data folder beforehand, for making new ones takes a while."""

from pathlib import Path

from hutong.providers.alipay.sandbox import SandboxKeys
from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY, STRANGER_KEY
from support.rsa_keys import private_pem, rsa_key


def sandbox_keys(folder: Path) -> SandboxKeys:
    """The folder's keys; all folders of a test run have the same."""
    place = folder / "sandbox" / "keys"
    place.mkdir(parents=True, exist_ok=True)
    for name in (ALIPAY_KEY, APP_KEY, STRANGER_KEY):
        (place / f"{name}.pem").write_text(private_pem(rsa_key(name)))
    return SandboxKeys(folder)
