"""What Prometheus and Grafana are given fits what a process counts; neither is here, so their files are read as they read them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from hutong.host import wiring
from hutong.kernel.observability import metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
SCRAPES = sorted(DEPLOY.glob("*/prometheus.yml"))
CONTRACT = {
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "openai_requests_total",
    "websocket_connections_active",
}
OF_PROMETHEUS = {"up"}
OF_LINUX = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "offset", "and", "or", "unless", "bool"}


def known() -> set[str]:
    """Names of all samples of a process that has imported every app, those without a value yet as well."""
    assert wiring.SPECS
    own = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    renamed = {source: name for name, source in metrics.CONTRACT_NAMES.items()}
    names: set[str] = set()
    for metric in own:
        described = next(iter(metric.describe())).name
        for name in {described, renamed.get(metric, described)}:
            names |= {f"{name}{ending}" for ending in _endings(metric)}
    return names | OF_PROMETHEUS | OF_LINUX


def _endings(metric: MetricWrapperBase) -> tuple[str, ...]:
    if isinstance(metric, Counter):
        return ("_total",)
    return ("_bucket", "_sum", "_count") if isinstance(metric, Histogram) else ("",)


def labels() -> dict[str, set[str]]:
    """The labels of each sample."""
    renamed = {source: name for name, source in metrics.CONTRACT_NAMES.items()}
    found: dict[str, set[str]] = {}
    for metric in (value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)):
        described = next(iter(metric.describe())).name
        for name in {described, renamed.get(metric, described)}:
            for ending in _endings(metric):
                extra = {"le"} if ending == "_bucket" else set()
                found[name + ending] = {*metric._labelnames, "job", "instance"} | extra
    return found


def metrics_in(expression: str) -> set[str]:
    """The names of metrics in an expression of PromQL: every word that is no function, label, keyword or text."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\{[^{}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    return {word for word in re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", bare) if word not in WORDS}


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """Each metric of an expression with each label that it is selected by."""
    for name, selector in re.findall(r"([a-zA-Z_:][\w:]*)\{([^{}]*)\}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)):
            yield name, label


def board(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))


def expressions(path: Path) -> list[str]:
    """Every query of a dashboard, those of its variables as well."""
    found = [target["expr"] for panel in board(path)["panels"] for target in panel.get("targets", ())]
    queries = [variable["query"]["query"] for variable in board(path)["templating"]["list"]]
    return found + [re.sub(r"^label_values\((.*), \w+\)$", r"\1", query) for query in queries]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


# -- names ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_is_counted(path: Path) -> None:
    used = {name for expression in expressions(path) for name in metrics_in(expression)}

    assert len(used) > 5
    assert used - known() == set()


def test_every_metric_of_a_rule_is_counted() -> None:
    assert {name for rule in rules() for name in metrics_in(rule["expr"])} - known() == set()


def test_every_label_that_is_selected_exists() -> None:
    there = labels()
    every = [expression for path in BOARDS for expression in expressions(path)] + [rule["expr"] for rule in rules()]

    missing = {
        (name, label)
        for expression in every
        for name, label in labels_in(expression)
        if name in there and label not in there[name]
    }

    assert missing == set()


def test_the_names_of_the_contract_are_there_and_on_the_dashboard() -> None:
    used = {
        name for expression in expressions(DEPLOY / "grafana/dashboards/chat.json") for name in metrics_in(expression)
    }

    assert known() >= CONTRACT
    assert used >= CONTRACT


def test_a_metric_and_its_second_name_say_the_same() -> None:
    metrics.http_requests.labels("chat", "GET", "/test/names", "200").inc(3)
    metrics.http_seconds.labels("chat", "/test/names").observe(0.02)

    def ours_and_theirs(ours: str, theirs: str) -> tuple[list[str], list[str]]:
        lines = [line for line in metrics.exposition().decode().splitlines() if "/test/names" in line]
        return (
            [line.removeprefix(ours) for line in lines if line.startswith(ours)],
            [line.removeprefix(theirs) for line in lines if line.startswith(theirs)],
        )

    assert "text/plain" in CONTENT_TYPE_LATEST
    for ours, theirs in (
        ("hutong_http_requests", "http_requests"),
        ("hutong_http_request_seconds", "http_request_duration_seconds"),
    ):
        mine, contract = ours_and_theirs(ours, theirs)
        assert mine and mine == contract
    assert REGISTRY.get_sample_value("http_requests_total", _labels_of("/test/names")) == 3


def _labels_of(route: str) -> dict[str, str]:
    return {"app": "chat", "method": "GET", "route": route, "status": "200"}


# -- forms ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_provisioned(path: Path) -> None:
    """What Grafana needs of a file: ids that differ, panels that do not overlap, the source that is provisioned."""
    content = board(path)
    panels = content["panels"]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/hutong.yaml").read_text("utf-8"))[
        "datasources"
    ][0]

    assert content["uid"] == f"hutong-{path.stem}" and content["schemaVersion"] >= 39
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {source["uid"]}
    assert all(panel["title"] for panel in panels)
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & mine
        cells |= mine


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_brackets_of_queries_close(path: Path) -> None:
    for expression in [*expressions(path), *(rule["expr"] for rule in rules())]:
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression


def test_a_rule_says_what_happened_and_where_to_go_on() -> None:
    for rule in rules():
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert (DEPLOY.parent / rule["annotations"]["runbook"]).is_file(), rule["annotations"]["runbook"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_dashboards_lie_where_the_provider_looks() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/hutong.yaml").read_text("utf-8"))["providers"][
        0
    ]
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text("utf-8"))

    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]


@pytest.mark.parametrize("path", SCRAPES, ids=lambda path: path.parent.name)
def test_api_and_workers_are_scraped_under_the_names_that_the_rules_use(path: Path) -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(path.read_text("utf-8"))["scrape_configs"]}

    assert {"hutong-api", "hutong-worker"} <= set(jobs)


def test_prometheus_asks_where_the_units_of_systemd_answer() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(SCRAPES[-1].read_text("utf-8"))["scrape_configs"]}
    worker = (DEPLOY / "systemd/hutong-worker@.service").read_text("utf-8")
    site = (DEPLOY / "nginx/hutong.conf").read_text("utf-8")
    served = re.findall(r"^\s+server (127\.0\.0\.1:\d+)", site, re.MULTILINE)

    assert SCRAPES[-1].parent.name == "prometheus"
    assert jobs["hutong-api"]["static_configs"][0]["targets"] == served
    assert "--metrics-port 910%i" in worker
    assert jobs["hutong-worker"]["static_configs"][0]["targets"] == ["127.0.0.1:9101"]
