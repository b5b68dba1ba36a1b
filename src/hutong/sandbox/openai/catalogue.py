"""The models that the sandbox knows. Windows as their vendors' pages give them; `sandbox-tiny` is for trying what is too long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CREATED = 1_721_172_741


@dataclass(frozen=True, slots=True)
class Model:
    """What one model can take: tokens read and written together, tokens written, pictures, tools."""

    window: int
    output: int
    owner: str = "system"
    vision: bool = True
    tools: bool = True


MODELS: Mapping[str, Model] = {
    "gpt-4o-mini": Model(128_000, 16_384),
    "gpt-4o": Model(128_000, 16_384),
    "gpt-4.1": Model(1_047_576, 32_768),
    "gpt-4.1-mini": Model(1_047_576, 32_768),
    "qwen-turbo": Model(131_072, 8_192, "qwen", vision=False),
    "qwen-plus": Model(131_072, 8_192, "qwen", vision=False),
    "qwen-vl-plus": Model(131_072, 8_192, "qwen", tools=False),
    "sandbox-tiny": Model(512, 256, "hutong-sandbox", vision=False, tools=False),
}


def listed(name: str) -> dict[str, Any]:
    """A model as the list of models tells it."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": MODELS[name].owner}
