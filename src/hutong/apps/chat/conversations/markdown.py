"""A conversation as Markdown, for people: the branch that ends in its newest message."""

import re
from collections.abc import Sequence

from hutong.apps.chat.rows.conversations import Conversation
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.kit.clock import iso_z

HEADINGS = {MessageRole.USER: "User", MessageRole.ASSISTANT: "Assistant", MessageRole.SYSTEM: "System"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&])")


def markdown(conversation: Conversation, branch: Sequence[Message]) -> str:
    """A heading with the title, then each message under a heading of its own.

    What people wrote stands as it is, for it is Markdown already; HTML in it is for whoever renders the file to escape.
    """
    title = _SPECIAL.sub(r"\\\1", conversation.title) or "Untitled"
    head = f"# {title}\n\n{iso_z(conversation.created_at)}, {_code(conversation.model)}\n"
    return "\n".join([head, *(_message(message) for message in branch)])


def _message(message: Message) -> str:
    facts = [iso_z(message.created_at)]
    if message.model:
        facts.append(_code(message.model))
    if message.status is not MessageStatus.COMPLETE:
        facts.append(message.status.value)
    return f"## {HEADINGS[message.role]}\n\n*{', '.join(facts)}*\n\n{message.content}\n"


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"
