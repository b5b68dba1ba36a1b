"""Headers of answers of this app, beside those of every app."""

from collections.abc import Mapping
from typing import Any

HEADERS: Mapping[str, Any] = {
    "ETag": {
        "description": "Of this configuration, for If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
}
