"""What can go wrong with members, conversations and messages."""

from hutong.kit.errors import Conflict, InvalidInput, NotFound, Unprocessable


class UsernameTaken(Conflict):
    """There is an account with this username already; choose another."""

    code = "chat.username_taken"


class UsernameInvalid(Unprocessable):
    """A username has 3 to 50 letters, digits, dots, hyphens or underscores, and begins with a letter or digit."""

    code = "chat.username_invalid"


class MemberUnknown(NotFound):
    """There is no such user."""

    code = "chat.user_unknown"


class KeyUnknown(NotFound):
    """There is no such API key."""

    code = "chat.key_unknown"


class ConversationUnknown(NotFound):
    """There is no such conversation."""

    code = "chat.conversation_unknown"


class MessageUnknown(NotFound):
    """There is no such message in this conversation."""

    code = "chat.message_unknown"


class ConversationsFull(Conflict):
    """You have as many conversations as one account may have; delete some first."""

    code = "chat.conversations_full"


class TitleInvalid(Unprocessable):
    """A title has at most 200 printable characters."""

    code = "chat.title_invalid"


class CursorInvalid(InvalidInput):
    """This cursor is none of ours; begin from the first page."""

    code = "chat.cursor_invalid"


class ImportInvalid(Unprocessable):
    """This is no export of ours, or more than one import takes."""

    code = "chat.import_invalid"
