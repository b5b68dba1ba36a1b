"""Asking vendors for refunds, and what became of them, until they decide."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from hutong.kernel.jobs import Again, Job
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import refunds, rules
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable, ChannelUnknown
from hutong.kernel.orders.ports import Money, PaymentChannel, Refund, RefundFound, RefundState
from hutong.kernel.orders.refunds import RefundRow
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import RefundStage, order_payments

_log = logger("orders.refunding")


@dataclass(frozen=True, slots=True)
class Errand:
    """A refund and the payment that it is of."""

    refund: RefundRow
    payment: Row[Any]


class Refunding:
    """The vendors' side of a shop's refunds."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def refund(self, job: Job) -> Again | None:
        """Have the vendor give money back, and ask until it has decided."""
        errand = await self._shop.db.read(_find, str(job.args["refund_no"]))
        if errand is None or errand.refund.stage not in refunds.OPEN:
            return None
        try:
            found = await self._ask(errand)
        except (ChannelUnavailable, ChannelUnknown) as error:
            _log.warning("a vendor cannot be asked for a refund", refund=errand.refund.refund_no, error=error.message)
        else:
            failpoint("orders.refund.answered")
            await self._shop.db.write(refunds.settle, self._shop.office, found)
            if found.state in {RefundState.DONE, RefundState.FAILED}:
                return None
        await self._watch(errand)
        return Again(rules.until_next_refund_look(errand.refund.created_at, self._shop.clock.now()))

    async def _ask(self, errand: Errand) -> RefundFound:
        """One that was asked for before is asked about first: only the vendor knows whether it heard."""
        channel, wanted = self._shop.channel(errand.payment.channel), self._wanted(errand)
        if errand.refund.stage is RefundStage.PROCESSING:
            found = await self._asked_about(channel, wanted)
            if found.state is not RefundState.UNKNOWN:
                return found
        await self._shop.db.write(refunds.start, wanted.refund_no)
        failpoint("orders.refund.started")
        try:
            return await channel.refund(wanted)
        except ChannelRefused as error:
            return RefundFound(RefundState.FAILED, wanted.refund_no, reason=error.message)

    @staticmethod
    async def _asked_about(channel: PaymentChannel, wanted: Refund) -> RefundFound:
        try:
            return await channel.query_refund(wanted)
        except ChannelRefused as error:  # it refuses the question, which says nothing about the money
            raise ChannelUnavailable from error

    def _wanted(self, errand: Errand) -> Refund:
        refund, payment = errand.refund, errand.payment
        return Refund(
            order_no=refund.order_no,
            transaction_id=payment.transaction_id,
            refund_no=refund.refund_no,
            money=Money(refund.amount, refund.currency),
            paid=Money(payment.amount, payment.currency),
            reason=refund.reason,
            notify_url=self._shop.notify_url(payment.channel),
        )

    async def _watch(self, errand: Errand) -> None:
        allowed = timedelta(seconds=self._shop.settings.refund_review_seconds)
        if self._shop.clock.now() - errand.refund.created_at >= allowed:
            refund = errand.refund
            await self._shop.db.write(refunds.put_up_for_review, self._shop.office, refund.order_no, refund.refund_no)


def _find(conn: Connection, refund_no: str) -> Errand | None:
    refund = refunds.find(conn, refund_no)
    if refund is None:
        return None
    payment = conn.execute(select(order_payments).where(order_payments.c.id == refund.payment_id)).one()
    return Errand(refund, payment)
