"""What the chat app does with its sockets.

A socket has no task while nothing happens: what all tabs of a user hear comes as a call from the feed, and a reply has a task
for each socket that hears it, as long as it is written.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from starlette.types import Scope

from hutong.apps.chat.account.members import Member, Members
from hutong.apps.chat.envelope import REALM, topic_of
from hutong.apps.chat.live.frames import (
    KINDS,
    AttachFrame,
    DetachFrame,
    StopFrame,
    WritingFrame,
    accepted,
    answer,
    told,
)
from hutong.apps.chat.replies.service import Replies
from hutong.apps.chat.rows import messages
from hutong.kernel.assembly import Kernel
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity.errors import TokenInvalid, TokenRevoked, UserBlocked, UserUnknown
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.realtime import Feed, Frame, Hello, Socket, SocketApp, SocketClosed, SocketLimits, Sockets, Tickets
from hutong.kernel.realtime.sockets import HelloMissing

FRAME_BYTES = 512 * 1024
"""Of a frame: the longest message, as JSON."""
TICKET_SECONDS = 30.0
BEGIN_SECONDS = 2.0


class Listener(Feed):
    """Hears the feed of a user for one socket, and keeps nothing: what came is sent, or begins to be.

    Args:
        live: does what has to be done.
        socket: of the client.
        session_id: that the client came in with.
    """

    def __init__(self, live: "Live", socket: Socket, session_id: int) -> None:
        self.live, self.socket, self.session_id = live, socket, session_id
        self.following: dict[str, asyncio.Task[None]] = {}
        self.waiting: list[bytes] | None = None  # events that come while a frame is being accepted: its answer is first
        self._hearing = self._counted_on = False
        self._hears: asyncio.Event | None = None

    def begin(self) -> None:
        """The feed is heard, perhaps again after it was not."""
        if self._counted_on:
            self.socket.send({"type": "missed"})
        self._hearing = True
        if self._hears is not None:
            self._hears.set()

    async def subscribed(self) -> None:
        """Wait until everything is heard, for two seconds at most; what is missed from then on is told."""
        if not self._hearing:
            self._hears = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEGIN_SECONDS):
                    await self._hears.wait()
            self._hears = None
        self._counted_on = True

    def hear(self, message: bytes) -> None:
        """Something happened."""
        if self.waiting is not None:
            self.waiting.append(message)
        else:
            self.live.tell(self, orjson.loads(message))


class Live(SocketApp):
    """The sockets of the chat app.

    Args:
        kernel: feeds, limiter, database.
        sessions, members: say who comes in.
        replies: what most frames are about.
        per_user: limit of what one user may send, together with requests.
    """

    def __init__(self, kernel: Kernel, sessions: Sessions, members: Members, replies: Replies, per_user: Limit) -> None:
        self._kernel, self._sessions, self._members = kernel, sessions, members
        self._replies, self._per_user = replies, per_user
        self.tickets = Tickets(kernel.store, REALM, TICKET_SECONDS)
        self._came: WeakKeyDictionary[Hello, int] = WeakKeyDictionary()

    # -- who comes in ------------------------------------------------------------------------------------------------------

    async def admit(self, hello: Hello, scope: Scope) -> int:
        """The user of a token or a ticket."""
        if hello.ticket is not None:
            found = await self.tickets.redeem_noted(hello.ticket)
            if found is None:
                raise TokenInvalid
            user_id, session_id = found[0], int(found[1])
        elif hello.token is not None:
            caller = await self._sessions.admit(hello.token, self._kernel.limiter, self._per_user)
            user_id, session_id = caller.user_id, caller.session_id
        else:
            raise HelloMissing
        self._came[hello] = session_id
        return (await self._member(user_id, session_id)).user_id

    async def enter(self, socket: Socket, hello: Hello) -> None:
        """Hear the user's feed, and tell what runs. The feed first, so that nothing falls between."""
        listener = Listener(self, socket, self._came.get(hello, 0))
        socket.state = listener
        self._kernel.feeds.attach(topic_of(socket.user_id), listener)
        await listener.subscribed()
        running = await self._kernel.db.read(messages.list_streaming, socket.user_id)
        named = [{"conversation_id": reply.conversation_id, "message_id": reply.id} for reply in running]
        socket.send({"type": "ready", "user_id": str(socket.user_id), "running": named})

    async def leave(self, socket: Socket) -> None:
        """Hear nothing any more."""
        if socket.state is not None:
            self._kernel.feeds.detach(topic_of(socket.user_id), socket.state)

    async def stays(self, socket: Socket) -> bool:
        """Whether the user is active, and the session that they came with goes on."""
        listener: Listener = socket.state
        try:
            await self._member(socket.user_id, listener.session_id)
        except (UserBlocked, TokenRevoked):
            return False
        live = await self._sessions.list(socket.user_id)
        return not listener.session_id or any(session.id == listener.session_id for session in live)

    async def _member(self, user_id: int, session_id: int) -> Member:
        try:
            return await self._members.get(user_id, session_id)
        except UserUnknown as error:
            raise TokenRevoked from error

    # -- what they send ----------------------------------------------------------------------------------------------------

    async def receive(self, socket: Socket, frame: Frame) -> None:
        """Do what a frame says; it counts as a request."""
        await self._kernel.limiter.hit(self._per_user, str(socket.user_id))
        listener: Listener = socket.state
        if isinstance(frame, WritingFrame):
            await self._write(listener, frame)
        elif isinstance(frame, StopFrame):
            reply = await self._replies.request_stop(socket.user_id, frame.message_id)
            socket.send(answer("stopping", frame, message_id=reply.id))
        elif isinstance(frame, AttachFrame):
            reply = await self._replies.following.get(socket.user_id, frame.message_id)
            socket.send(answer("attached", frame, message_id=reply.id))
            self._follow(listener, reply.id, frame.after)
        elif isinstance(frame, DetachFrame):
            self._unfollow(listener, frame.message_id)
            socket.send(answer("detached", frame, message_id=frame.message_id))

    async def _write(self, listener: Listener, frame: WritingFrame) -> None:
        socket = listener.socket
        member = await self._member(socket.user_id, listener.session_id)
        listener.waiting = []
        try:
            reply = await self._replies.start(
                member, frame.order(), frame.wish(), request_id=f"ws-{socket.id}", key=frame.key
            )
            socket.send(accepted(frame, reply))
        finally:
            heard, listener.waiting = listener.waiting or [], None
            for message in heard:
                self.tell(listener, orjson.loads(message))
        if reply.reply.id not in listener.following:
            self._follow(listener, reply.reply.id, 0)

    # -- what they hear ----------------------------------------------------------------------------------------------------

    def tell(self, listener: Listener, event: Mapping[str, Any]) -> None:
        """An event of the user's feed: a reply that begins is heard from its start, everything else goes on as it is."""
        if event["type"] != "reply.started":
            listener.socket.send(event)
        elif event["message_id"] not in listener.following:
            self._follow(listener, event["message_id"], 0)

    def _follow(self, listener: Listener, message_id: str, after: int) -> None:
        self._unfollow(listener, message_id)
        listener.following[message_id] = listener.socket.spawn(self._tell_all(listener, message_id, after))

    def _unfollow(self, listener: Listener, message_id: str) -> None:
        if (task := listener.following.pop(message_id, None)) is not None:
            task.cancel()

    async def _tell_all(self, listener: Listener, message_id: str, after: int) -> None:
        """Everything that happens to a reply; a client that reads slowly holds up this reader and nobody else."""
        socket = listener.socket
        try:
            async for events in self._replies.following.events(socket.user_id, message_id, after):
                for event in events:
                    await socket.deliver(told(message_id, event), (message_id, event.seq))
        except SocketClosed:
            return
        if listener.following.get(message_id) is asyncio.current_task():
            del listener.following[message_id]
            socket.unmark(message_id)


def open_sockets(live: Live, kernel: Kernel) -> Sockets:
    """The endpoint, an ASGI app."""
    limits = SocketLimits(frame_bytes=FRAME_BYTES)
    return Sockets(REALM, live, KINDS, kernel.store, kernel.settings.http.cors_origins, limits)
