"""What kustomize makes of deploy/: valid to the last key, allowed under restricted pod security, its config right."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.generate import generated
from stream_sync.config.load import load
from stream_sync.config.settings import Config
from tests.deploy.resources import UNKNOWN_TO_KUBERNETES, unknown_keys
from tests.deploy.tools import DEPLOY, run, tool

BUILDS = ("base", "overlays/example", "overlays/backfill-cronjob")
OVERLAYS = BUILDS[1:]
SECRETS = "/run/secrets/stream-sync/"
Resource = Mapping[str, Any]


@cache
def built(name: str) -> tuple[Resource, ...]:
    text = run([tool("kubectl"), "kustomize", DEPLOY / name])
    return tuple(YAML(typ="safe").load_all(text))


def one(name: str, kind: str) -> Any:
    (found,) = [resource for resource in built(name) if resource["kind"] == kind]
    return found


def pods(name: str) -> Iterator[Any]:
    """Every pod's spec."""
    for resource in built(name):
        match resource["kind"]:
            case "Deployment":
                yield resource["spec"]["template"]["spec"]
            case "CronJob":
                yield resource["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def data_of(name: str, kind: str, resource: str) -> dict[str, str]:
    """What a ConfigMap or Secret holds."""
    (found,) = [r for r in built(name) if r["kind"] == kind and r["metadata"]["name"] == resource]
    if kind == "Secret":
        return {file: base64.b64decode(text).decode() for file, text in found["data"].items()}
    return dict(found["data"])


def config(name: str, folder: Path) -> Config:
    """The config of an overlay, read as the service reads it in a pod: with the Secret's files and the environment."""
    (pod,) = pods(name)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for file, text in data_of(name, "Secret", volumes["secrets"]["secret"]["secretName"]).items():
        (folder / file).write_text(text)
    text = data_of(name, "ConfigMap", volumes["config"]["configMap"]["name"])["config.yaml"]
    assert SECRETS in text
    path = folder / "config.yaml"
    path.write_text(text.replace(SECRETS, f"{folder}/"))
    (environment,) = pod["containers"][0]["envFrom"]
    return load(path, data_of(name, "ConfigMap", environment["configMapRef"]["name"])).config


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_resource_is_one_that_kubernetes_takes_without_a_key_too_many(name: str, tmp_path: Path) -> None:
    known = [resource for resource in built(name) if resource["kind"] not in UNKNOWN_TO_KUBERNETES]
    path = tmp_path / "resources.json"
    path.write_text("\n---\n".join(json.dumps(resource) for resource in known))

    said = run([tool("kubernetes-validate"), "--strict", path])

    assert len(re.findall(r"passed for resource", said)) == len(known) > 0


def test_resources_of_operators_have_no_key_that_their_definitions_lack() -> None:
    found = [r for r in built("overlays/example") if r["kind"] in UNKNOWN_TO_KUBERNETES]

    assert {resource["kind"] for resource in found} == set(UNKNOWN_TO_KUBERNETES)
    assert [key for resource in found for key in unknown_keys(resource)] == []


@pytest.mark.parametrize("name", BUILDS)
def test_pods_are_allowed_where_pod_security_is_restricted(name: str) -> None:
    for pod in pods(name):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} <= {"configMap", "secret"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in containers(pod):
            context = container["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"] == {"memory": "512Mi"}
            assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize("name", BUILDS)
def test_pods_check_their_config_first_have_time_to_end_and_no_token(name: str) -> None:
    for pod in pods(name):
        (validate,) = pod["initContainers"]
        (service,) = pod["containers"]
        assert validate["args"][0] == "validate"
        assert (validate["volumeMounts"], validate["envFrom"]) == (service["volumeMounts"], service["envFrom"])
        assert pod["terminationGracePeriodSeconds"] == 45 > Config.model_fields["shutdown_timeout"].default
        assert pod["automountServiceAccountToken"] is False


def test_whatever_is_about_the_pods_selects_them() -> None:
    pods = one("overlays/example", "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = {
        "Service": one("overlays/example", "Service")["spec"]["selector"],
        "PodDisruptionBudget": one("overlays/example", "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": one("overlays/example", "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        "PodMonitor": one("overlays/example", "PodMonitor")["spec"]["selector"]["matchLabels"],
        "Deployment": one("overlays/example", "Deployment")["spec"]["selector"]["matchLabels"],
    }

    assert {kind for kind, labels in selectors.items() if not labels or not labels.items() <= pods} == set()


def test_the_deployment_never_has_a_pod_too_many_and_is_asked_how_it_is() -> None:
    deployment = one("base", "Deployment")["spec"]
    (service,) = deployment["template"]["spec"]["containers"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert (
        service["livenessProbe"]["httpGet"]
        == service["startupProbe"]["httpGet"]
        == {
            "path": "/healthz",
            "port": "admin",
        }
    )
    assert service["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert "replicas" not in one("overlays/example", "Deployment")["spec"], "KEDA's to say"


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_rendered_config_has_no_problems(name: str, tmp_path: Path) -> None:
    assert config(name, tmp_path).activations


def test_probes_reach_the_admin_address_of_the_config(tmp_path: Path) -> None:
    admin = config("overlays/example", tmp_path).admin
    (service,) = one("overlays/example", "Deployment")["spec"]["template"]["spec"]["containers"]

    assert admin is not None
    assert admin.host == "0.0.0.0"
    assert service["ports"] == [{"name": "admin", "containerPort": admin.port}]


def test_every_lane_has_its_two_triggers_and_its_term(tmp_path: Path) -> None:
    settings = config("overlays/example", tmp_path)
    scaled = one("overlays/example", "ScaledObject")["spec"]
    triggers = {trigger["name"]: trigger["metadata"] for trigger in scaled["triggers"]}
    formula = scaled["advanced"]["scalingModifiers"]["formula"]
    lanes = {}
    for name in re.findall(r"(\w+)_limited < 0\.5 \? \1_lag : 0\.0", formula):
        lag, limited = triggers.pop(f"{name}_lag"), triggers.pop(f"{name}_limited")
        (activation,) = re.findall(r'activation="([^"]+)",by=~"rate_limit\|destination\|schedule"', limited["query"])
        assert lag["consumerGroup"] == f"{settings.name}.{activation}"
        assert lag["allowIdleConsumers"] == "false", "never more pods than partitions"
        assert lag["lagThreshold"] == scaled["advanced"]["scalingModifiers"]["target"]
        lanes[activation] = lag["topic"]

    assert triggers == {}
    assert lanes == {name: settings.sources[a.source].topic for name, a in settings.activations.items()}


def test_the_runbooks_address_is_set_in_one_place() -> None:
    rules = one("overlays/example", "PrometheusRule")["spec"]["groups"]
    urls = {rule["annotations"]["runbook_url"] for group in rules for rule in group["rules"] if "alert" in rule}

    assert all(
        re.fullmatch(r"https://runbooks\.example\.com/stream-sync/RUNBOOK\.md#streamsync\w+", url) for url in urls
    )
    assert len(urls) == 13


def test_what_is_generated_is_current() -> None:
    assert [str(path) for path, text in generated().items() if path.read_text() != text] == []
