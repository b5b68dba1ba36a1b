"""Every failpoint: on the way from a picture to a video, and in the life of an order.

test_failpoints.py proves that none of the source is missing, and kills at those of the first; kernel/orders/test_kills.py
kills at those of the second.
"""

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
ANSWER_UNKNOWN = {"emoji.submit.created"}
"""Killed between the vendor's answer and writing it down: nobody can know it, so one more generation is paid for."""
ORDERS = (
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
