"""What the sandboxes of payment vendors share: a book of trades and refunds, notices sent by HTTP, mishaps, the page's frame.

A vendor gives a `Vendor` (words, codes, retry schedule), a `NoticeWriter` (how a notice is serialised and signed, what counts
as acknowledged) and its own wire, whose calls run through `PaymentSandbox.answer` and move the `book`. Only the `sandbox`
packages of providers import it. Its page is docs/providers/sandboxes.md.
"""

from hutong.sandbox.payments.sandbox import Answered, PaymentSandbox
from hutong.sandbox.payments.settings import PaymentSandboxSettings
from hutong.sandbox.payments.vendor import NoticeRequest, NoticeWriter, Report, Vendor

__all__ = [
    "Answered",
    "NoticeRequest",
    "NoticeWriter",
    "PaymentSandbox",
    "PaymentSandboxSettings",
    "Report",
    "Vendor",
]
