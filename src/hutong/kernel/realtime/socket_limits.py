"""Sizes and times of sockets, and the codes that they are closed with."""

from dataclasses import dataclass

POLICY, SLOW = 1008, 1013
"""RFC 6455 §7.4.1 and the IANA registry: a rule was broken; try again later. The server itself closes with 1007 (text that is
no UTF-8), 1009 (a message larger than the wire takes), 1011 (no answer to a ping) and 1012 (this process leaves)."""
UNKNOWN, LATE, TOO_MANY = 4401, 4408, 4429
"""Ours: nobody we know; no hello in time; the user has too many sockets."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one socket may take.

    Args:
        hello_seconds: until the first frame.
        frame_bytes: of a frame from the client.
        bad_frames: that are refused until the socket is closed.
        per_user: sockets of one user, on all processes.
        queue_frames: events that wait for a client at most.
        queue_bytes: that wait for it, before streams wait too.
        slow_seconds: that a client may take nothing while something waits.
        close_seconds: that a slow client has to read why it is closed.
        recheck_seconds: between two looks whether the user may stay.
    """

    hello_seconds: float = 10.0
    frame_bytes: int = 256 * 1024
    bad_frames: int = 20
    per_user: int = 10
    queue_frames: int = 256
    queue_bytes: int = 256 * 1024
    slow_seconds: float = 15.0
    close_seconds: float = 5.0
    recheck_seconds: float = 60.0
