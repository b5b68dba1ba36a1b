"""`config.yaml`: settings by their own names, and the few names that the storefront's seed gives them in sections.

Source: contracts/storefront.md "Server" (sections app, database, redis, auth, smtp); ADR 0024.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "app.env": ("env",),
    "app.data": ("data",),
    "app.public_url": ("public_url",),
    "app.secret": ("secret",),
    "app.log_level": ("log", "level"),
    "app.cors_origins": ("http", "cors_origins"),
    "app.trusted_proxies": ("http", "trusted_proxies"),
    "database.url": ("database_url",),
    "redis.url": ("store_url",),
}
"""Names in the file, and the settings that they are. The sections `auth` and `smtp` are settings by these very names."""
ONLY_OTHER_NAMES = ("app", "redis")


class SettingsRefused(ValueError):
    """Hutong will not start with these settings; the message says which one to change."""


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a file, under their own names; none if there is no file.

    Raises:
        SettingsRefused: it is no YAML mapping, a section holds what it cannot, or a setting stands there twice.
    """
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{path}: it is no YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(found, dict):
        raise SettingsRefused(f"{path}: it must be a mapping of settings")
    for name, target in OTHER_NAMES.items():
        _move(found, name, target, path)
    for section in ONLY_OTHER_NAMES:
        if left := found.pop(section, None):
            known = ", ".join(name for name in OTHER_NAMES if name.startswith(f"{section}."))
            raise SettingsRefused(f"{path}: {section} holds {_first(left)}; it can hold {known}")
    return found


def _move(found: dict[str, Any], name: str, target: tuple[str, ...], path: Path) -> None:
    """Put what stands under another name where it belongs."""
    section, _, key = name.partition(".")
    holder = found.get(section)
    if not isinstance(holder, dict) or key not in holder:
        return
    value = holder.pop(key)
    place = found
    for part in target[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise SettingsRefused(f"{path}: {part} must be a mapping")
    if target[-1] in place:
        raise SettingsRefused(f"{path}: {name} and {'.'.join(target)} are the same setting; keep one")
    place[target[-1]] = value


def _first(left: object) -> str:
    return repr(next(iter(left))) if isinstance(left, dict) else "no mapping"
