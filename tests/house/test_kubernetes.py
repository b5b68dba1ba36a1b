"""The manifests, read as Kubernetes would, for there is no cluster here: names, settings, probes, times."""

import re
from pathlib import Path
from typing import Any

import yaml

from hutong.host.asgi import OWN_PAGES
from hutong.host.reference.settings_page import list_settings
from hutong.host.settings import load_settings

FILE = Path(__file__).parents[2] / "deploy/kubernetes/hutong.yaml"
PARTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))


def part(kind: str, name: str) -> dict[str, Any]:
    """One object."""
    (found,) = [part for part in PARTS if part["kind"] == kind and part["metadata"]["name"] == name]
    return found


def pod(name: str) -> dict[str, Any]:
    """The pod of a deployment."""
    return dict(part("Deployment", name)["spec"]["template"]["spec"])


def test_every_variable_is_a_setting() -> None:
    known = {setting.variable for setting in list_settings()}

    assert set(part("ConfigMap", "hutong")["data"]) - known == set()


def test_selectors_meet_the_pods() -> None:
    for name in ("hutong-api", "hutong-worker"):
        spec = part("Deployment", name)["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    labels = part("Deployment", "hutong-api")["spec"]["template"]["metadata"]["labels"]
    assert part("Service", "hutong")["spec"]["selector"].items() <= labels.items()
    assert part("PodDisruptionBudget", "hutong-api")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert part("HorizontalPodAutoscaler", "hutong-api")["spec"]["scaleTargetRef"]["name"] == "hutong-api"


def test_a_leaving_pod_is_seen_before_its_door_closes_and_may_drain() -> None:
    """As docs/operations/rolling-restart.md asks of a balancer that looks at /readyz."""
    settings = load_settings(env="test")
    notice = float(part("ConfigMap", "hutong")["data"]["HUTONG_HTTP__NOTICE_SECONDS"])
    (api,) = pod("hutong-api")["containers"]
    probe = api["readinessProbe"]

    assert notice > probe["periodSeconds"] * probe["failureThreshold"] + 5
    assert pod("hutong-api")["terminationGracePeriodSeconds"] >= notice + settings.http.drain_seconds + 5
    assert pod("hutong-worker")["terminationGracePeriodSeconds"] >= settings.jobs.drain_seconds + 5


def test_probes_ask_pages_that_there_are_and_liveness_asks_no_dependency() -> None:
    (api,) = pod("hutong-api")["containers"]
    paths = {kind: api[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert set(paths.values()) <= OWN_PAGES
    assert (paths["livenessProbe"], paths["readinessProbe"]) == ("/livez", "/readyz")


def test_ports_and_volumes_are_named_once_and_found() -> None:
    for name in ("hutong-api", "hutong-worker"):
        there = {volume["name"] for volume in pod(name)["volumes"]}
        for container in (*pod(name)["containers"], *pod(name)["initContainers"]):
            assert {mount["name"] for mount in container["volumeMounts"]} <= there
            assert container["securityContext"]["readOnlyRootFilesystem"]
    (worker,) = pod("hutong-worker")["containers"]
    annotation = part("Deployment", "hutong-worker")["spec"]["template"]["metadata"]["annotations"][
        "prometheus.io/port"
    ]
    assert annotation == worker["args"][worker["args"].index("--metrics-port") + 1]


def test_the_world_reaches_the_chat_app_and_not_what_is_for_operators() -> None:
    (rule,) = part("Ingress", "hutong")["spec"]["rules"]
    prefixes = [path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Prefix"]
    exact = {path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Exact"}

    assert re.match(r"chat\.", rule["host"])
    assert exact == {"/", "/health"}
    for hidden in (*OWN_PAGES, "/sandbox/openai/"):
        assert not any(hidden.startswith(prefix) for prefix in prefixes)
