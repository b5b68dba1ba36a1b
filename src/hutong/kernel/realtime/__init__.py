"""What reaches users while it happens: logs of running streams, feeds to all tabs of one user, sockets, tickets.

Apps write a stream once and let any number of clients read it from any process; nothing here is the record of anything.
Its page is docs/kernel/realtime.md.
"""

from hutong.kernel.realtime.entries import Entry
from hutong.kernel.realtime.errors import StreamAbandoned, StreamGone, StreamTaken
from hutong.kernel.realtime.feeds import Feed, Feeds
from hutong.kernel.realtime.frames import Frame, Hello, error_frame, text_of
from hutong.kernel.realtime.logs import StreamLogs
from hutong.kernel.realtime.socket import Socket, SocketClosed
from hutong.kernel.realtime.socket_limits import SocketLimits
from hutong.kernel.realtime.sockets import SocketApp, Sockets
from hutong.kernel.realtime.tickets import Tickets
from hutong.kernel.realtime.writer import StreamWriter

__all__ = [
    "Entry",
    "Feed",
    "Feeds",
    "Frame",
    "Hello",
    "Socket",
    "SocketApp",
    "SocketClosed",
    "SocketLimits",
    "Sockets",
    "StreamAbandoned",
    "StreamGone",
    "StreamLogs",
    "StreamTaken",
    "StreamWriter",
    "Tickets",
    "error_frame",
    "text_of",
]
