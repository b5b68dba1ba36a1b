"""A stand-in for Alipay that speaks its wire format with real RSA2 signatures, with a cashier and a page of buttons.

It signs and verifies by itself, from the vendor's description, so that it and the client can find each other wrong. Only
`host` mounts it (at `/sandbox/alipay`), in development, tests and the demo. Its page is docs/providers/alipay.md.
"""

from hutong.providers.alipay.sandbox.app import Sandbox, create_sandbox
from hutong.providers.alipay.sandbox.keys import SandboxKeys

__all__ = ["Sandbox", "SandboxKeys", "create_sandbox"]
