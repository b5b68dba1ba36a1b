"""What the orders of one realm are made of; every part of this package gets it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from hutong.kernel.db import Database
from hutong.kernel.jobs import Jobs
from hutong.kernel.orders.catalogue import Catalogue
from hutong.kernel.orders.errors import ChannelUnknown
from hutong.kernel.orders.notices import Inbox
from hutong.kernel.orders.ports import PaymentChannel
from hutong.kernel.orders.repository import Office
from hutong.kernel.orders.settings import OrdersSettings
from hutong.kernel.orders.views import OnFulfilled
from hutong.kit.clock import Clock


@dataclass(frozen=True)
class Shop:
    """What an app's orders are made of.

    Args:
        realm: of the app and its users; names its jobs, `<realm>.orders.fulfil`.
        db, jobs, ids, clock: the kernel's.
        catalogue: what is on sale.
        channels: where customers pay, by name.
        settings: times and policies.
        notify_url: of a channel's name, where its vendor reports; ends in a call of `Orders.receive`.
        on_fulfilled: the app's own part of handing over.
        key_lease_seconds: after which an Idempotency-Key whose request died may be used again.
    """

    realm: str
    db: Database
    jobs: Jobs
    ids: Callable[[], int]
    clock: Clock
    catalogue: Catalogue
    channels: Mapping[str, PaymentChannel]
    settings: OrdersSettings
    notify_url: Callable[[str], str]
    on_fulfilled: OnFulfilled = lambda conn, order: None
    key_lease_seconds: float = 30.0

    @cached_property
    def office(self) -> Office:
        """What changes of orders need."""
        return Office(self.jobs, self.ids, self.clock)

    @property
    def inbox(self) -> Inbox:
        """Where reports go."""
        return Inbox(self.realm, self.settings.late_payment)

    def channel(self, name: str) -> PaymentChannel:
        """A way to pay.

        Raises:
            ChannelUnknown.
        """
        found = self.channels.get(name)
        if found is None:
            raise ChannelUnknown
        return found
