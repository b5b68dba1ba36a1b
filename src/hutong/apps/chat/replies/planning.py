"""From what a caller wants to what a model is asked: where the reply goes, what is read, how long it may be."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from hutong.apps.chat.replies import rules
from hutong.apps.chat.replies.errors import NotAReply, NotYourWords
from hutong.apps.chat.replies.opening import Place
from hutong.apps.chat.replies.rules import Turn, turns_of
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.apps.chat.rows import conversations, messages
from hutong.apps.chat.rows.errors import MessageUnknown
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole
from hutong.kernel.gateway.chats import Chats
from hutong.kernel.gateway.models import Facts
from hutong.kernel.gateway.tokens import count_now
from hutong.kernel.quotas import Limits


class Asker(Protocol):
    """Who asks: a member of the app."""

    @property
    def user_id(self) -> int: ...
    @property
    def is_vip(self) -> bool: ...
    @property
    def limits(self) -> Limits: ...


class Leaf:
    """In place of a parent's id: the newest message of the conversation, whatever it is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a reply is wanted.

    Args:
        model: None is the conversation's.
        max_tokens: of the answer at most; None is as usual.
        sampling: parameters of Chat Completions that go to the model as they are.
    """

    model: str | None = None
    max_tokens: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Send:
    """A new message, and a reply to it. `parent_id` None begins the conversation, or a branch from its start."""

    conversation_id: str
    content: str
    parent_id: str | Leaf | None = field(default_factory=Leaf)


@dataclass(frozen=True, slots=True)
class Edit:
    """Other words in place of a message of the user: a branch beside it, with a reply."""

    message_id: str
    content: str


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Another reply in place of one, or one to a message of the user that has none: a branch beside it."""

    conversation_id: str
    message_id: str


Order = Send | Edit | Regenerate


@dataclass(frozen=True, slots=True)
class Ground:
    """What an order stands on, as it was read.

    Args:
        place: where the reply goes.
        branch: what the model may read, oldest first, without the message that is made.
        model: the conversation's.
    """

    place: Place
    branch: Sequence[Message]
    model: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done.

    Args:
        place: where the reply goes.
        model: as the caller names it.
        body: of the request to the gateway.
        context: what is read, and its size.
    """

    place: Place
    model: str
    body: Mapping[str, Any]
    context: rules.Context


def survey(conn: Connection, user_id: int, order: Order) -> Ground:
    """Read what an order stands on.

    Raises:
        ConversationUnknown, MessageUnknown, NotAReply, NotYourWords.
    """
    if isinstance(order, Send):
        return _survey_send(conn, user_id, order)
    found = messages.find_message(conn, user_id, order.message_id)
    if found is None:
        raise MessageUnknown
    if isinstance(order, Edit):
        return _survey_edit(conn, user_id, order, found)
    if found.conversation_id != order.conversation_id:
        raise MessageUnknown
    return _survey_regenerate(conn, user_id, found)


def _survey_send(conn: Connection, user_id: int, order: Send) -> Ground:
    conversation = conversations.get_conversation(conn, user_id, order.conversation_id)
    at_leaf = isinstance(order.parent_id, Leaf)
    parent_id = conversation.leaf_id if isinstance(order.parent_id, Leaf) else order.parent_id
    place = Place(
        conversation_id=conversation.id,
        parent_id=parent_id,
        content=order.content,
        leaf_id=conversation.leaf_id,
        at_leaf=at_leaf,
    )
    return Ground(place, _branch(conn, user_id, conversation.id, parent_id), conversation.model)


def _survey_edit(conn: Connection, user_id: int, order: Edit, old: Message) -> Ground:
    if old.role is not MessageRole.USER:
        raise NotYourWords
    conversation = conversations.get_conversation(conn, user_id, old.conversation_id)
    place = Place(conversation_id=conversation.id, parent_id=old.parent_id, content=order.content)
    return Ground(place, _branch(conn, user_id, conversation.id, old.parent_id), conversation.model)


def _survey_regenerate(conn: Connection, user_id: int, found: Message) -> Ground:
    conversation = conversations.get_conversation(conn, user_id, found.conversation_id)
    question = found
    if found.role is MessageRole.ASSISTANT and found.parent_id is not None:
        question = messages.get_message(conn, user_id, conversation.id, found.parent_id)
    if question.role is not MessageRole.USER:
        raise NotAReply
    place = Place(conversation_id=conversation.id, question=question)
    return Ground(place, _branch(conn, user_id, conversation.id, question.id), conversation.model)


def _branch(conn: Connection, user_id: int, conversation_id: str, leaf_id: str | None) -> Sequence[Message]:
    return [] if leaf_id is None else messages.history(conn, user_id, conversation_id, leaf_id)


async def plan(ground: Ground, wish: Wish, asker: Asker, chats: Chats, settings: ReplySettings) -> Plan:
    """Decide what the model reads and how long it may answer.

    Raises:
        ModelUnknown, ModelForbidden: of the model's name.
        ContextTooLong: not even the new message fits its window.
    """
    model = wish.model or ground.model
    facts = chats.model(model, vip=asker.is_vip).facts
    context = await choose(_read(ground), facts, wish.max_tokens, settings)
    return Plan(ground.place, model, rules.body_of(context, facts, wish.sampling), context)


async def choose(
    branch: Sequence[Turn], facts: Facts, max_tokens: int | None, settings: ReplySettings
) -> rules.Context:
    """What is read of a branch; long ones are counted in a thread."""
    room = rules.room_of(facts, max_tokens, settings.usual_tokens)
    chosen = (settings.system_prompt, branch, facts.window, room, count_now)
    if rules.needs_counting(*chosen[:4]):
        return await asyncio.to_thread(rules.choose, *chosen)
    return rules.choose(*chosen)


def narrowed(made: Plan, left: int) -> Plan | None:
    """The plan with a shorter answer, for a user who has only so many tokens left; None if that makes no sense."""
    room = left - made.context.tokens
    if room < rules.LEAST_ROOM or room >= made.context.room:
        return None
    context = replace(made.context, room=room)
    bound = next(name for name in ("max_tokens", "max_completion_tokens") if name in made.body)
    return replace(made, context=context, body={**made.body, bound: room})


def _read(ground: Ground) -> Sequence[Turn]:
    """The branch as the model would read it now: with the message that is going to be made."""
    place = ground.place
    if place.question is not None:
        return turns_of(ground.branch)
    return [*turns_of(ground.branch), Turn(MessageRole.USER, place.content)]
