"""`config.yaml`: the seed's sections mean Hutong's settings, and what they cannot mean is refused."""

from pathlib import Path

import pytest

from hutong.kernel.settings import SettingsRefused
from hutong.kernel.settings.config_file import read_config


def test_the_seeds_sections_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "app: {env: test, log_level: debug, cors_origins: [https://a.b]}\n"
        "database: {url: 'mysql://h/d', pool: 20, overflow: 40}\n"
        "redis: {url: 'redis://h'}\nauth: {code_tries: 3}\nlog: {format: json}\n"
    )

    assert read_config(path) == {
        "env": "test",
        "log": {"level": "debug", "format": "json"},
        "http": {"cors_origins": ["https://a.b"]},
        "database": {"pool": 20, "overflow": 40},
        "database_url": "mysql://h/d",
        "store_url": "redis://h",
        "auth": {"code_tries": 3},
    }


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")

    assert read_config(tmp_path / "none.yaml") == read_config(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("app: {debug: true}", "app holds 'debug'; it can hold app.env"),
        ("redis: {url: 'redis://h', db: 1}", "redis holds 'db'"),
        ("redis: 'redis://h'", "redis holds no mapping"),
        ("app: {env: test}\nenv: production", "app.env and env are the same setting"),
        ("app: {log_level: info}\nlog: {level: debug}", "app.log_level and log.level are the same setting"),
        ("app: {log_level: info}\nlog: debug", "log must be a mapping"),
        ("- app", "must be a mapping"),
        ("app: {env: [", "no YAML"),
    ],
)
def test_what_it_cannot_mean_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(SettingsRefused, match=told.replace(".", r"\.")):
        read_config(path)
