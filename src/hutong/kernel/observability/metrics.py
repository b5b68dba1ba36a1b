"""Prometheus metrics of this process, all named `hutong_…` and declared in one place per package.

Four of them appear under the names of the chat app's contract as well, made when Prometheus asks, so that counting costs
nothing more. Source: DESIGN §2.10, §2.17; contracts/chat.md "Observability". Labels are bounded: route templates, task
names, states; never ids or addresses.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

http_requests = Counter("hutong_http_requests_total", "Requests answered.", ["app", "method", "route", "status"])
http_seconds = Histogram("hutong_http_request_seconds", "Time to answer a request.", ["app", "route"], buckets=SECONDS)
outbound_seconds = Histogram(
    "hutong_outbound_seconds", "Calls to a vendor.", ["vendor", "call", "outcome"], buckets=SECONDS
)
jobs_finished = Counter("hutong_jobs_finished_total", "Jobs by outcome.", ["task", "outcome"])
jobs_seconds = Histogram("hutong_job_seconds", "Time that one run of a job took.", ["task"], buckets=SECONDS)
jobs_running = Gauge("hutong_jobs_running", "Jobs running in this process.")
jobs_waiting = Gauge("hutong_jobs_waiting", "Jobs that are due and not running, in the whole fleet.")
jobs_oldest_seconds = Gauge("hutong_jobs_oldest_seconds", "Age of the oldest job that is due.")
jobs_dead = Gauge("hutong_jobs_dead", "Jobs in the dead-letter list.")
provider_blocked = Counter(
    "hutong_provider_blocked_total", "Submissions that a provider refused because of the account.", ["lane", "code"]
)
openai_requests = Counter(
    "hutong_openai_requests_total",
    "Answers of chat models: ok, stopped, or the code of what went wrong, each route that was tried.",
    ["provider", "model", "outcome"],
)
openai_retries = Counter(
    "hutong_openai_retries_total", "Chat calls that were made again.", ["provider", "model", "reason"]
)
openai_tokens = Counter(
    "hutong_openai_tokens_total", "Tokens of chat models, prompt and completion.", ["provider", "model", "kind"]
)
openai_cost = Counter(
    "hutong_openai_cost_micros_total",
    "Cost of chat models in millionths of the currency of models.yaml.",
    ["provider", "model"],
)
openai_first_token_seconds = Histogram(
    "hutong_openai_first_token_seconds",
    "Time until the first token of a stream, or a whole answer, was there.",
    ["provider", "model"],
    buckets=SECONDS,
)
openai_in_flight = Gauge("hutong_openai_in_flight", "Chat calls that run in this process.", ["provider"])
quota_refusals = Counter(
    "hutong_quota_refusals_total", "Requests refused by a quota, by the full counter.", ["counter"]
)
quota_tokens = Counter(
    "hutong_quota_tokens_total", "Tokens of quotas: reserved, settled (the true use) and released.", ["kind"]
)
mails = Counter("hutong_mails_total", "Tries to send a mail, by outcome.", ["template", "outcome"])
points_moved = Counter("hutong_credits_moved_total", "Credits by kind of ledger entry.", ["kind"])
orders_moved = Counter("hutong_orders_total", "Orders that came to a status.", ["realm", "channel", "status"])
payment_notices = Counter(
    "hutong_payment_notices_total", "Reports of payment channels by result.", ["channel", "result"]
)
payment_notice_oldest_seconds = Gauge(
    "hutong_payment_notice_oldest_seconds", "Age of the oldest report that waits for what it tells of.", ["realm"]
)
refunds_moved = Counter("hutong_refunds_total", "Refunds that came to a stage.", ["channel", "stage"])
invariants_broken = Gauge("hutong_invariants_broken", "Rows that break an invariant.", ["invariant"])
channel_notices = Counter(
    "hutong_channel_notices_total",
    "Notices of payment channels: payment and refund were believed, every other outcome was refused for that reason.",
    ["channel", "outcome"],
)
config_rejected = Counter("hutong_config_rejected_total", "Live documents refused.", ["document"])
passwords_refused = Counter(
    "hutong_passwords_refused_total", "Passwords not hashed because too many were waiting already."
)
store_failures = Counter("hutong_store_failures_total", "Store calls that failed.", ["call"])

streams_open = Gauge("hutong_streams_open", "Logs of replies that this process writes at present.")
stream_readers = Gauge("hutong_stream_readers", "Readers that follow logs of replies in this process.")
stream_losses = Counter(
    "hutong_stream_losses_total",
    "Logs that the store lost something of: sent_again by their writer, gone, taken; or abandoned, which a reader found.",
    ["outcome"],
)

websocket_connections = Gauge(
    "hutong_websocket_connections_active", "WebSockets that are open in this process.", ["app"]
)
websocket_closed = Counter(
    "hutong_websocket_closed_total",
    "WebSockets that ended, by the code of their end; origin: refused because of the page that asked.",
    ["app", "code"],
)
websocket_frames = Counter(
    "hutong_websocket_frames_total", "Frames from clients, by type, or by the code of why not.", ["app", "type"]
)
websocket_sent = Counter("hutong_websocket_sent_total", "Frames to clients, counted when the WebSocket ends.", ["app"])


CONTRACT_NAMES: Mapping[str, MetricWrapperBase] = {
    "http_requests": http_requests,
    "http_request_duration_seconds": http_seconds,
    "openai_requests": openai_requests,
    "websocket_connections_active": websocket_connections,
}
"""The chat app's contract calls these so; without the endings that Prometheus gives to samples."""


class ContractNames(Collector):
    """The same numbers under the contract's names."""

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now, renamed."""
        for name, source in CONTRACT_NAMES.items():
            for metric in source.collect():
                renamed = Metric(name, metric.documentation, metric.type, metric.unit)
                renamed.samples = [
                    sample._replace(name=name + sample.name.removeprefix(metric.name)) for sample in metric.samples
                ]
                yield renamed


REGISTRY.register(ContractNames())


def exposition() -> bytes:
    """This process's metrics in Prometheus' text format. Takes milliseconds: call it off the event loop."""
    return generate_latest(REGISTRY)


@contextmanager
def timed(histogram: Histogram, **labels: str) -> Iterator[None]:
    """Observe how long the block takes, whether it raises or not."""
    start = time.perf_counter()
    try:
        yield
    finally:
        histogram.labels(**labels).observe(time.perf_counter() - start)


def resident_bytes() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
