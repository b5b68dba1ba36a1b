"""Sealed values open for whoever has the key and names the place, and for nobody else."""

import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hutong.host.settings import load_settings
from hutong.kernel.secrets import SealBroken, Sealer, SealKeyUnknown

OLD, NEW = (SecretStr(f"{word}-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP") for word in ("old", "new"))
PLACE = "users.api_key.42"
sealer = Sealer([OLD])


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_was_sealed_opens(plain: bytes, place: str) -> None:
    sealed = sealer.seal(plain, place)

    assert sealer.open(sealed, place) == plain
    assert sealed.isascii() and sealed.isprintable()
    assert len(sealed) < len(plain) * 4 / 3 + 82


@pytest.mark.parametrize("place", ["", "users.api_key.43", "users.api_key.4", "users.api_key.42 "])
def test_a_value_that_was_moved_does_not_open(place: str) -> None:
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"sk-1", PLACE), place)


def test_no_bit_can_be_changed() -> None:
    """Salt, nonce, text and tag; each byte in turn."""
    form, key_id, body = sealer.seal(b"sk-1", PLACE).split(".")
    plain = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for place in range(len(plain)):
        changed = bytearray(plain)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            sealer.open(f"{form}.{key_id}.{urlsafe_b64encode(changed).decode().rstrip('=')}", PLACE)


def test_a_value_says_nothing() -> None:
    """The same text twice gives two values, and neither holds it."""
    one, other = (sealer.seal(b"482913", PLACE) for _ in range(2))

    assert one.rpartition(".")[2] != other.rpartition(".")[2]
    assert "482913" not in one and urlsafe_b64encode(b"482913").decode() not in one


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        ".",
        "v1",
        "v1.",
        "v1.x.",
        "sk-in-clear",
        "v2.0123456789ab.AAAA",
        "v1.{id}.AAAA",
        "v1.{id}.!!!!",
        "v1.{id}.é",
        "v1.{id}",
    ],
)
def test_what_is_no_sealed_value_does_not_open(garbage: str) -> None:
    key_id = sealer.seal(b"", PLACE).split(".")[1]

    with pytest.raises(SealBroken):
        sealer.open(garbage.replace("{id}", key_id), PLACE)


@pytest.mark.parametrize("noise", ["!", "\n", " ", "=", "é"])
def test_a_value_has_one_spelling(noise: str) -> None:
    """Decoders that skip what they do not know would take two texts for one value."""
    sealed = sealer.seal(b"sk-1", PLACE)

    with pytest.raises(SealBroken):
        sealer.open(sealed[:-4] + noise + sealed[-4:], PLACE)


def test_a_secret_is_replaced_without_losing_anything() -> None:
    both, new = Sealer([OLD, NEW]), Sealer([NEW])
    before = sealer.seal(b"sk-1", PLACE)

    assert both.needs_resealing(before) and not sealer.needs_resealing(before)
    after = both.seal(both.open(before, PLACE), PLACE)
    assert not both.needs_resealing(after)
    assert new.open(after, PLACE) == b"sk-1"
    with pytest.raises(SealKeyUnknown):
        new.open(before, PLACE)


def test_two_processes_agree_on_a_key() -> None:
    assert Sealer([OLD]).open(sealer.seal(b"sk-1", PLACE), PLACE) == b"sk-1"


def test_a_sealer_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        Sealer([])


def test_a_laptop_seals_with_a_secret_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUTONG_SECRET", raising=False)
    settings = load_settings(env="development", data=tmp_path)
    first, again = settings.sealing_keys, load_settings(env="development", data=tmp_path).sealing_keys

    assert first == again and first != (settings.file_secret,)
    assert stat.S_IMODE((tmp_path / "secrets" / "sealing").stat().st_mode) == 0o600


def test_the_installations_secret_seals_where_no_other_is_set(tmp_path: Path) -> None:
    settings = load_settings(env="test", data=tmp_path, secret=OLD)
    chosen = load_settings(env="test", data=tmp_path, secret=OLD, sealing={"keys": [OLD, NEW]})

    assert settings.sealing_keys == (OLD,)
    assert chosen.sealing_keys == (OLD, NEW)
    assert OLD.get_secret_value() not in repr(chosen)


@pytest.mark.parametrize("weak", ["s3cr3t", "changeme-changeme-0123456789-abcdefgh"])
def test_a_weak_secret_is_refused(weak: str) -> None:
    with pytest.raises(ValueError, match="SEALING") as refusal:
        load_settings(env="test", sealing={"keys": [weak]})
    assert weak not in str(refusal.value)
