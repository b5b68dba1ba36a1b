"""What can go wrong with replies, beside what the gateway and the quotas say."""

from hutong.kit.errors import Conflict, InvalidInput, TooManyRequests, Unavailable, Unprocessable, UpstreamFailed


class ReplyRunning(Conflict):
    """A reply is being written in this conversation; wait for it or stop it."""

    code = "chat.reply_running"


class TooManyReplies(TooManyRequests):
    """Too many of your replies are being written at the same time; wait for one of them."""

    code = "chat.too_many_replies"


class NotAReply(InvalidInput):
    """Only replies of the model can be stopped or written again."""

    code = "chat.not_a_reply"


class NotYourWords(InvalidInput):
    """Only messages of the user can be edited."""

    code = "chat.not_your_words"


class MessageTooLong(Unprocessable):
    """The message is too long."""

    code = "chat.message_too_long"


class ReplyInterrupted(UpstreamFailed):
    """The reply broke off; what came until then is kept."""

    code = "chat.reply_interrupted"


class ReplyFailed(UpstreamFailed):
    """The model gave no reply; your message is kept, ask again."""

    code = "chat.reply_failed"


class Leaving(Unavailable):
    """This server is being restarted; ask again."""

    code = "chat.leaving"
