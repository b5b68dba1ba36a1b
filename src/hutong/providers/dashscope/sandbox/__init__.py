"""A stand-in for DashScope's emoji models that speaks the vendor's wire format, with a page of buttons for mishaps.

Only `host` mounts it (at `/sandbox/dashscope`), in development, tests and the demo; it runs in no production process.
Its page is docs/providers/dashscope.md.
"""

from hutong.providers.dashscope.sandbox.app import Sandbox, create_sandbox
from hutong.providers.dashscope.sandbox.ports import Vision, VisionRefused, VisionUnavailable
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.providers.dashscope.sandbox.vision_client import VisionClient
from hutong.providers.dashscope.sandbox.vision_process import VisionProcess

__all__ = [
    "Sandbox",
    "SandboxSettings",
    "Vision",
    "VisionClient",
    "VisionProcess",
    "VisionRefused",
    "VisionUnavailable",
    "create_sandbox",
]
