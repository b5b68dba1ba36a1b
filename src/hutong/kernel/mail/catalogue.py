"""The mails that there are, and what each must be given. Their texts lie in `templates/<language>/`.

Nothing that a stranger typed stands in a mail to an address that nobody has confirmed: whoever registers somebody else's
address must not be able to write to them through us. So no template greets by name.
"""

from collections.abc import Mapping

PURPOSES = ("register", "login", "reset")
"""What a mail code may be for."""

CODE = "account.code"
WELCOME = "account.welcome"
EXISTS = "account.exists"
UNKNOWN = "account.unknown"
LOCKED = "account.locked"
PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of a mail
RECEIPT = "order.receipt"
REFUNDED = "order.refunded"

TEMPLATES: Mapping[str, frozenset[str]] = {
    CODE: frozenset({"purpose", "code", "minutes"}),
    WELCOME: frozenset(),
    EXISTS: frozenset(),
    UNKNOWN: frozenset(),
    LOCKED: frozenset({"minutes"}),
    PASSWORD_CHANGED: frozenset({"changed_at"}),
    RECEIPT: frozenset({"order_no", "item", "amount", "paid_at"}),
    REFUNDED: frozenset({"order_no", "item", "amount", "refunded_at"}),
}
"""Names of the values of each template, all of them required: `purpose` is one of `PURPOSES`, amounts come from
`amount_text`, moments from `moment_text`, `minutes` is a whole number."""
