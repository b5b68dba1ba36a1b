"""What can go wrong with a stream for its readers and for a second writer."""

from hutong.kit.errors import Conflict, NotFound, Unavailable


class StreamGone(NotFound):
    """This stream is not kept any more; load the message instead."""

    code = "realtime.stream_gone"


class StreamAbandoned(Unavailable):
    """This stream broke off before its end; load the message to see what was saved."""

    code = "realtime.stream_abandoned"


class StreamTaken(Conflict):
    """This stream has been written already, or is being written."""

    code = "realtime.stream_taken"
