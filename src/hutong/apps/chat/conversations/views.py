"""Conversations and messages as JSON-ready values. Lists are long and asked for often, so these pass no model."""

from collections.abc import Mapping
from typing import Any

from hutong.apps.chat.rows.conversations import Conversation
from hutong.apps.chat.rows.messages import Message
from hutong.kit.clock import iso_z


def conversation_view(one: Conversation) -> Mapping[str, Any]:
    """As `schemas.ConversationView`."""
    return {
        "id": one.id,
        "title": one.title,
        "model": one.model,
        "is_archived": one.is_archived,
        "leaf_id": one.leaf_id,
        "created_at": iso_z(one.created_at),
        "updated_at": iso_z(one.updated_at),
    }


def message_view(one: Message) -> Mapping[str, Any]:
    """As `schemas.MessageView`."""
    return {
        "id": one.id,
        "conversation_id": one.conversation_id,
        "parent_id": one.parent_id,
        "role": one.role,
        "content": one.content,
        "status": one.status,
        "created_at": iso_z(one.created_at),
        "updated_at": iso_z(one.updated_at),
        "model": one.model,
        "prompt_tokens": one.prompt_tokens,
        "completion_tokens": one.completion_tokens,
        "tokens_used": one.tokens_used,
        "cost": one.cost,
        "finish_reason": one.finish_reason,
        "error": one.error,
    }
