"""Bodies of conversations and messages."""

from typing import Annotated

from pydantic import BaseModel, Field

from hutong.apps.chat.rows.tables import LONGEST_MODEL, LONGEST_TITLE, MessageRole, MessageStatus
from hutong.kernel.http.strict import StrictModel

LONGEST_PROMPT = 32_000
Title = Annotated[str, Field(max_length=LONGEST_TITLE, description="One line; may be empty.")]
ModelName = Annotated[
    str, Field(min_length=1, max_length=LONGEST_MODEL, description="One of GET /models.", examples=["gpt-4o-mini"])
]


class NewConversation(StrictModel):
    """A conversation to begin."""

    title: Title = ""
    model: ModelName | None = Field(None, description="The installation's default when left out.")
    system_prompt: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_PROMPT,
        description="Becomes the first message, of role `system`; it stands before everything that the model reads.",
    )


class ConversationChange(StrictModel):
    """What may be changed; what is left out stays as it is."""

    title: Title | None = None
    model: ModelName | None = None
    is_archived: bool | None = None


class ConversationView(BaseModel):
    """A conversation."""

    id: str
    title: str
    model: str
    is_archived: bool
    leaf_id: str | None = Field(description="The newest message, whose branch to show; null while there is none.")
    created_at: str
    updated_at: str


class ConversationPage(BaseModel):
    """Conversations, the one that was updated last first."""

    items: list[ConversationView]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")


class MessageView(BaseModel):
    """A message. A conversation is a tree: `parent_id` names what a message answers."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: MessageRole
    content: str = Field(description="As written. It is text, not HTML: whoever shows it has to escape it.")
    status: MessageStatus
    created_at: str
    updated_at: str
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_used: int | None = Field(description="Null where nobody counted, which is not nought.")
    cost: int | None = Field(description="Micro-units of the currency that GET /models names.")
    finish_reason: str | None
    error: str | None = Field(description="The code of what a reply ended with that failed or was interrupted.")


class MessagePage(BaseModel):
    """Messages, the oldest first: of all branches, or of one."""

    items: list[MessageView]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")


class Imported(BaseModel):
    """What an import did."""

    created: int = Field(description="Conversations that are new.")
    skipped: int = Field(description="Conversations that were here already, by their ids; they stay as they are.")
    messages: int = Field(description="Messages that are new.")
