"""The receipt: a mail that is written in the transaction that hands over what was bought, so once an order."""

from sqlalchemy import Connection

from hutong.kernel.http.languages import DEFAULT
from hutong.kernel.identity import UserUnknown
from hutong.kernel.identity.account_rows import get_account
from hutong.kernel.mail import Mail, amount_text, moment_text
from hutong.kernel.mail.catalogue import RECEIPT
from hutong.kernel.orders import Order


class Receipts:
    """Receipts of one realm.

    Args:
        realm: of the buyers.
        mail: the kernel's.
    """

    def __init__(self, realm: str, mail: Mail) -> None:
        self._realm, self._mail = realm, mail

    def enqueue(self, conn: Connection, order: Order) -> None:
        """Mail a receipt to the buyer, in the buyer's language; a user who is gone gets none."""
        try:
            buyer = get_account(conn, self._realm, order.user_id)
        except UserUnknown:
            return
        language = buyer.language or DEFAULT
        values = {
            "order_no": order.order_no,
            "item": f"{order.name(language)} × {order.quantity}" if order.quantity > 1 else order.name(language),
            "amount": amount_text(order.money.amount, order.money.currency),
            "paid_at": moment_text(order.paid_at or order.created_at),
        }
        self._mail.enqueue(conn, RECEIPT, buyer.email, language, values)
