"""docs/reference/metrics.md: every metric of a Hutong process."""

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from hutong.host.reference import markdown as md
from hutong.kernel.observability import metrics

KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
INTRODUCTION = """
Every process has its own numbers: an API at `/metrics` beside the apps, a worker on the port of `hutong worker --metrics-port`.
A histogram appears as `…_bucket`, `…_sum` and `…_count`; times are seconds.
Labels are bounded: route templates, task names, states; never ids or addresses.
"""


def list_metrics() -> list[MetricWrapperBase]:
    """Hutong's own metrics, by name."""
    own = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    return sorted(own, key=_name)


def render_metrics() -> str:
    """The page."""
    rows = (
        (md.code(_name(metric)), KINDS[type(metric)], _labels(metric), next(iter(metric.describe())).documentation)
        for metric in list_metrics()
    )
    return md.page("Metrics", INTRODUCTION, md.table(("metric", "kind", "labels", "what it counts"), rows))


def _name(metric: MetricWrapperBase) -> str:
    """As Prometheus shows it; the library keeps a counter's name without its ending."""
    name = next(iter(metric.describe())).name
    return f"{name}_total" if isinstance(metric, Counter) else name


def _labels(metric: MetricWrapperBase) -> str:
    return ", ".join(md.code(label) for label in metric._labelnames)  # noqa: SLF001 - nothing public tells them
