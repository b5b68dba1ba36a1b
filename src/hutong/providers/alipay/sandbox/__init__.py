"""A stand-in for Alipay that speaks its wire format with real RSA2 signatures, with a cashier and a page of buttons.

It signs and verifies by itself, from the vendor's description, and shares no code with the client. Only `host` mounts it
(at `/sandbox/alipay`), in development, tests and the demo. Its page is docs/providers/alipay.md.
"""

from hutong.providers.alipay.sandbox.app import Sandbox, create_sandbox
from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY
from hutong.providers.alipay.sandbox.settings import AlipaySandboxSettings

__all__ = ["ALIPAY_KEY", "APP_KEY", "AlipaySandboxSettings", "Sandbox", "create_sandbox"]
