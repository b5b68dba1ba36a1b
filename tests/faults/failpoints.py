"""Every failpoint on the way from a picture to a video, of sessions and of orders; test_failpoints.py proves that none is missing."""

FAILPOINTS = (
    "emoji.upload.stored",
    "emoji.detect.answered",
    "emoji.create.claimed",
    "emoji.create.accepted",
    "emoji.create.held",
    "emoji.create.enqueued",
    "jobs.enqueue.committed",
    "jobs.emoji.generation.admit.claimed",
    "jobs.emoji.generation.admit.handled",
    "jobs.emoji.generation.submit.claimed",
    "emoji.submit.before_marked",
    "emoji.submit.marked",
    "emoji.submit.created",
    "emoji.submit.saved",
    "jobs.emoji.generation.submit.handled",
    "jobs.emoji.generation.poll.claimed",
    "emoji.poll.answered",
    "emoji.poll.saved",
    "jobs.emoji.generation.store.claimed",
    "emoji.store.downloaded",
    "files.put.written",
    "emoji.store.saved",
    "emoji.store.completed",
    "jobs.emoji.generation.store.handled",
)
OF_SESSIONS = (
    "identity.open.stored",
    "identity.open.written",
    "identity.refresh.rotated",
    "identity.refresh.written",
    "identity.end.dropped",
    "identity.end.written",
    "identity.end_all.dropped",
    "identity.end_all.written",
)
"""Died at in tests/kernel/identity/test_session_deaths.py."""
OF_ORDERS = (
    "orders.create.claimed",
    "orders.create.stored",
    "orders.create.opened",
    "orders.notice.verified",
    "orders.notice.applied",
    "jobs.shop.orders.fulfil.claimed",
    "orders.fulfil.granted",
    "jobs.shop.orders.fulfil.handled",
    "orders.refund.started",
    "orders.refund.answered",
    "jobs.shop.orders.refund.handled",
    "orders.close.answered",
    "orders.query.answered",
)
"""Died at in tests/kernel/orders/test_kills.py."""
OF_QUOTAS = ("quotas.reserve.taken", "quotas.reserve.committed", "quotas.settle.closed")
"""Died at in tests/kernel/quotas/test_processes.py."""
OF_REPLIES = (
    "chat.reply.reserved",
    "chat.reply.opened",
    "chat.reply.committed",
    "chat.reply.asking",
    "chat.reply.begun",
    "chat.reply.saved",
    "chat.reply.generated",
    "chat.reply.finished",
    "chat.reply.settled",
    "chat.reply.told",
    "chat.sweep.read",
)
"""Died at in tests/apps/chat/replies/test_deaths.py."""
ANSWER_UNKNOWN = {"emoji.submit.created"}
"""Killed between the vendor's answer and writing it down: nobody can know it, so one more generation is paid for."""

AROUND_TRANSACTIONS = (
    "emoji.create.held",
    "emoji.create.enqueued",
    "jobs.enqueue.committed",
    "jobs.emoji.generation.submit.claimed",
    "emoji.submit.saved",
    "jobs.emoji.generation.store.handled",
)
"""Within a transaction, or between one and what has to follow: where a database server has a part in the recovery."""
