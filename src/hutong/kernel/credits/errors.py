"""What can go wrong with credits."""

from hutong.kit.errors import Conflict, NotFound, PaymentRequired


class CreditsExhausted(PaymentRequired):
    """Not enough points for this."""

    code = "credits.exhausted"


class HoldNotOpen(Conflict):
    """This hold was settled, released or expired already."""

    code = "credits.hold_not_open"


class HoldUnknown(NotFound):
    """There is no such hold."""

    code = "credits.hold_unknown"


class AccountUnknown(NotFound):
    """There is no such account."""

    code = "credits.account_unknown"
