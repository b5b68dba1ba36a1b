"""What can go wrong with orders and payments."""

from hutong.kit.errors import InvalidInput, Unavailable, UpstreamFailed


class ChannelUnavailable(Unavailable):
    """The payment channel does not answer at present; try again shortly."""

    code = "orders.channel_unavailable"


class ChannelRefused(UpstreamFailed):
    """The payment channel refused the request."""

    code = "orders.channel_refused"


class NoticeRefused(InvalidInput):
    """This payment notice cannot be verified."""

    code = "orders.notice_refused"
