"""celery: `python celery_jobs.py produce|work REDIS_URL SIZE`. One solo worker, late acknowledgement, no results."""

import sys

from celery import Celery
from celery.signals import worker_ready

role, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
app = Celery("bench", broker=url)
app.conf.update(task_acks_late=True, task_ignore_result=True, broker_connection_retry_on_startup=True)
done = 0


@app.task(name="bench.nothing")  # type: ignore[untyped-decorator]
def nothing() -> None:
    """The job; says so when all are done."""
    global done  # noqa: PLW0603 - the whole state of a tiny program
    done += 1
    if done % size == 0:
        print("done", file=sys.__stdout__, flush=True)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: object) -> None:
    print("ready", file=sys.__stdout__, flush=True)


def produce() -> None:
    """Send `size` jobs whenever told to, one after the other: it has no senders at once in one process."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=3)
    print("ready", flush=True)
    while sys.stdin.readline():
        for _ in range(size):
            nothing.delay()


if role == "produce":
    produce()
else:
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    app.worker_main(["worker", "--pool=solo", *quiet])
