"""A stand-in for Aliyun OSS that speaks its wire format and verifies every V4 signature, with a page of buttons.

It computes signatures by itself, from the vendor's description, and shares no code with the client. Only `host` mounts
it (at `/sandbox/oss`), in development, tests and the demo. Its page is docs/providers/oss.md.
"""

from hutong.providers.oss.sandbox.app import Sandbox, create_sandbox
from hutong.providers.oss.sandbox.settings import Key, OssSandboxSettings

__all__ = ["Key", "OssSandboxSettings", "Sandbox", "create_sandbox"]
