"""Looking after orders: show, list, refund, review."""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hutong.host.cli.operate import Data, console, with_host
from hutong.host.wiring import Host
from hutong.kernel.orders import Money, Order, OrderStatus, RefundView
from hutong.kernel.orders import desk as papers
from hutong.kernel.orders.desk import Dossier
from hutong.kernel.orders.refunds import Wish
from hutong.kernel.orders.repository import Office
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id
from hutong.kit.paging import Page, PageRequest

orders = typer.Typer(help="Orders and payments.", no_args_is_help=True)
OrderNo = Annotated[str, typer.Argument(help="Number of the order.")]
PageNumber = Annotated[int, typer.Option("--page", min=1, help="Page, from 1.")]
PAGE_SIZE = 50


@orders.command("show")
def show_order(order_no: OrderNo, data: Data = None) -> None:
    """Show all that is known of an order: what happened, what was paid, what went back, what vendors said."""

    async def run(host: Host) -> Dossier:
        return await host.kernel.db.read(papers.open_dossier, order_no, host.kernel.clock.now())

    found = with_host(data, run)
    _print_orders(Page([found.order], 1, 1, 1), f"{found.realm}: order of user {found.order.user_id}")
    events = Table("", "moment", "from", "to", "by", "because", "of", title="What happened")
    for event in found.events:
        start = event.from_status.value if event.from_status else ""
        row = (str(event.number), iso_z(event.created_at), start, event.to_status.value, event.actor, event.cause)
        events.add_row(*row, event.event_id or "")
    console.print(events)
    _print_money(found)


def _print_money(found: Dossier) -> None:
    paid = Table("channel", "transaction", "purpose", "amount", "went back", "on its way", "paid", title="Payments")
    for payment in found.payments:
        amounts = (_money(payment.money), str(payment.refunded), str(payment.reserved))
        named = (payment.channel, payment.transaction_id, payment.purpose.value)
        paid.add_row(*named, *amounts, iso_z(payment.paid_at))
    back = Table("refund", "amount", "stage", "reason", "failure", "asked", title="Refunds")
    for refund in found.refunds:
        row = (refund.refund_no, _money(refund.money), refund.stage.value, refund.reason, refund.failure or "")
        back.add_row(*row, iso_z(refund.created_at))
    told = Table("report", "became", "received", title="Reports of vendors")
    for event, outcome, received_at in found.reports:
        told.add_row(event, outcome, iso_z(received_at))
    for table in (paid, back, told):
        if table.row_count:
            console.print(table)


@orders.command("list")
def list_orders(
    status: Annotated[OrderStatus | None, typer.Option(help="Only orders of this status.")] = None,
    user: Annotated[str, typer.Option(help="Only this user's, by id.")] = "",
    page: PageNumber = 1,
    data: Data = None,
) -> None:
    """List orders, newest first."""
    user_id = parse_id(user) if user else None
    if user and user_id is None:
        raise typer.BadParameter(f"{user!r} is no id")

    async def run(host: Host) -> Page[Order]:
        request, now = PageRequest(page, PAGE_SIZE), host.kernel.clock.now()
        return await host.kernel.db.read(papers.list_orders, request, now, status=status, user_id=user_id)

    found = with_host(data, run)
    _print_orders(found, f"{found.total} orders")


@orders.command("review")
def review(
    order_no: Annotated[str, typer.Argument(help="Order that was looked at; without it they are listed.")] = "",
    page: PageNumber = 1,
    data: Data = None,
) -> None:
    """List the orders that somebody should look at, or take the flag from one."""
    if order_no:
        _clear(order_no, data)
        return

    async def run(host: Host) -> Page[Order]:
        request, now = PageRequest(page, PAGE_SIZE), host.kernel.clock.now()
        return await host.kernel.db.read(papers.list_orders, request, now, flagged=True)

    found = with_host(data, run)
    _print_orders(found, f"{found.total} orders to look at")


def _clear(order_no: str, data: Path | None) -> None:
    async def run(host: Host) -> bool:
        return await host.kernel.db.write(papers.clear_review, _office(host), order_no)

    console.print("Reviewed." if with_host(data, run) else "There was nothing to look at.")


@orders.command("refund")
def refund(
    order_no: OrderNo,
    amount: Annotated[int, typer.Option(min=0, help="Minor units (fen, cent); 0 gives back all that is left.")] = 0,
    reason: Annotated[str, typer.Option(help="What the customer reads, at most 80 characters.")] = "Refund",
    key: Annotated[str, typer.Option(help="The same key never refunds twice; made up when left out.")] = "",
    transaction: Annotated[str, typer.Option(help="Of this payment; of the one that paid when left out.")] = "",
    data: Data = None,
) -> None:
    """Give money back; a worker asks the vendor for it."""
    named = f"operator:{key or secrets.token_hex(8)}"

    async def run(host: Host) -> RefundView:
        db = host.kernel.db
        dossier = await db.read(papers.open_dossier, order_no, host.kernel.clock.now())
        money = Money(amount, _currency(dossier, transaction)) if amount else None
        wish = Wish(money, reason, named, "operator")
        return await db.write(papers.refund, _office(host), order_no, wish, transaction or None)

    made = with_host(data, run)
    console.print(f"Refund {made.refund_no} of {_money(made.money)} is {made.stage.value}.")


def _currency(found: Dossier, transaction: str) -> str:
    named = [payment.money.currency for payment in found.payments if payment.transaction_id == transaction]
    return named[0] if named else found.order.money.currency


def _office(host: Host) -> Office:
    return Office(host.kernel.jobs, host.kernel.ids, host.kernel.clock)


def _print_orders(found: Page[Order], title: str) -> None:
    table = Table("order", "user", "product", "amount", "status", "look at", "channel", "made", "paid", title=title)
    for order in found.items:
        table.add_row(
            order.order_no,
            str(order.user_id),
            f"{order.product_id} × {order.quantity}",
            _money(order.money),
            order.status.value,
            order.review.value if order.review else "",
            order.channel,
            iso_z(order.created_at),
            iso_z(order.paid_at) if order.paid_at else "",
        )
    console.print(table if found.items else title)


def _money(money: Money) -> str:
    return f"{money.amount} {money.currency}"
