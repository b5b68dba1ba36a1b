"""The store: one small port over Redis or Valkey, single or a cluster, for counters, short-lived values, scripts, streams,
channels.

Kernel packages call `Store`; it is never the record of anything (a flushed store loses nothing but time).
Its page is docs/kernel/store.md.
"""

from hutong.kernel.store.address import Address
from hutong.kernel.store.client import Script, Store, StoreUnavailable, open_store
from hutong.kernel.store.copies import Copies
from hutong.kernel.store.embedded import EmbeddedStore
from hutong.kernel.store.layers import LayeredCopies
from hutong.kernel.store.subscriptions import Listener

__all__ = [
    "Address",
    "Copies",
    "EmbeddedStore",
    "LayeredCopies",
    "Listener",
    "Script",
    "Store",
    "StoreUnavailable",
    "open_store",
]
