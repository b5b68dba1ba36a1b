"""RSA keys of a sandbox: made once for a data folder, shared by all its processes, readable by its owner only."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def kept_rsa_key(folder: Path, name: str) -> RSAPrivateKey:
    """The key `name` of the data folder `folder`, made on first use; processes that start at once agree on one.

    Takes some 100 ms of CPU the first time.
    """
    path = folder / "sandbox" / "keys" / f"{name}.pem"
    if not path.exists():
        _make(path)
    found = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(found, RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key")
    return found


def private_pem(key: RSAPrivateKey) -> str:
    """PKCS#8, unencrypted."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    """The public half, SubjectPublicKeyInfo."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    pem = private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(pem)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster; its key is the one
    finally:
        draft.unlink()
