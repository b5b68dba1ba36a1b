"""Sealing: what must not lie in clear in a table, a log or a dead letter is encrypted under keys that rotate.

Kernel packages and apps take a `Sealer`; the host makes it from the settings.
Its page is docs/kernel/secrets.md.
"""

from hutong.kernel.secrets.errors import SealBroken, SealKeyUnknown
from hutong.kernel.secrets.sealing import Sealer

__all__ = ["SealBroken", "SealKeyUnknown", "Sealer"]
