"""Refunds of the older API show the merchant's certificate: a vendor that asks for one is asked with it."""

import dataclasses
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import ChannelUnavailable
from hutong.kernel.orders.ports import RefundState
from hutong.providers.wechat.pay.sandbox.app import create_sandbox
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.settings import WechatPayV2Settings
from hutong.providers.wechat.pay.v2 import WechatPayV2
from hutong.sandbox.payments import PaymentSandboxSettings
from hutong.sandbox.payments.keys import private_pem
from support.http import listening
from support.payments import PayBench


def certificate(folder: Path, name: str, key: RSAPrivateKey) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, and its key, in one file."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)  # noqa: TID251 - TLS looks at the machine's clock
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_text(made.public_bytes(serialization.Encoding.PEM).decode() + private_pem(key))
    return path


async def test_a_refund_is_asked_with_the_merchants_certificate(
    v2_bench: PayBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SandboxKeys(v2_bench.folder)
    vendors, merchants = (
        certificate(tmp_path, "vendor", keys.platform),
        certificate(tmp_path, "merchant", keys.merchant),
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(vendors))  # what this machine trusts
    payment = await v2_bench.paid()
    sandbox = create_sandbox(
        PaymentSandboxSettings(folder=v2_bench.folder, public_url="https://x", refund_seconds=0), clock=v2_bench.clock
    )
    asks: dict[str, Any] = {"ssl_certfile": vendors, "ssl_ca_certs": merchants, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    outbound = Outbound(allow_private=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with listening(sandbox, listener, **asks):
            with_it, without = (
                WechatPayV2(
                    WechatPayV2Settings(timeout=5),
                    url,
                    lambda path=path: dataclasses.replace(keys.v2_credentials(), certificate=path),  # type: ignore[misc]
                    outbound,
                    v2_bench.clock,
                )
                for path in (str(merchants), "")
            )
            with pytest.raises(ChannelUnavailable):
                await without.refund(v2_bench.back(payment, 34))
            found = await with_it.refund(v2_bench.back(payment, 34))
    await outbound.close()
    await sandbox.state.sandbox.close()

    assert found.state is RefundState.PROCESSING
