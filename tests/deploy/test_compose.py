"""The compose file, which cannot be run where there is no Docker engine: what it names is there, and fits together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stream_sync.config.load import load
from tests.deploy.alerts import RULES
from tests.deploy.tools import DEPLOY, run, tool
from tests.rig.jars import POM

FOLDER = DEPLOY / "compose"
COMPOSE: Any = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())
SERVICES: Any = COMPOSE["services"]


def test_every_image_is_pinned_to_a_version_or_built_here() -> None:
    images = [service["image"] for service in SERVICES.values() if "image" in service]

    assert [image for image in images if not re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\w+)*", image)] == []
    assert {name for name, service in SERVICES.items() if "image" not in service} == {"sandbox", "stream-sync"}
    assert all(service["build"] == ".." for service in SERVICES.values() if "build" in service)


def test_kafka_is_the_one_of_the_tests() -> None:
    (version,) = re.findall(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)<", POM.read_text())

    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_what_is_mounted_is_there_and_ports_are_this_machines() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, options = volume.rsplit(":", 2)
            assert (DEPLOY / source).exists()
            assert options == "ro"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert set(service.get("depends_on", ())) <= set(SERVICES)


def test_the_service_reads_what_the_connector_writes_of_the_table() -> None:
    config = load(FOLDER / "config.yaml", {}).config
    connector = json.loads((FOLDER / "connector.json").read_text())
    table = (FOLDER / "warehouse.sql").read_text()
    columns = set(re.findall(r"^  (\w+) ", table, re.MULTILINE))
    (activation,) = config.activations.values()
    (source,) = config.sources.values()

    assert source.topic == f"{connector['topic.prefix']}.{connector['table.include.list']}"
    assert source.shows_before
    assert "replica identity full" in table
    assert connector["database.hostname"] in SERVICES
    assert set(source.key or ()) | set(activation.attributes.values()) <= columns


def test_the_service_reaches_the_sandbox_on_its_own_network_and_kafka_by_name() -> None:
    config = load(FOLDER / "config.yaml", {}).config

    assert SERVICES["stream-sync"]["network_mode"] == "service:sandbox"
    assert "INSIDE://kafka:19092" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert config.kafka["bootstrap.servers"] == "kafka:19092"
    assert config.admin is not None
    assert f"127.0.0.1:{config.admin.port}:{config.admin.port}" in SERVICES["sandbox"]["ports"]


def test_prometheus_takes_its_config_with_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text((FOLDER / "prometheus.yaml").read_text().replace("/etc/prometheus/rules.yaml", str(RULES)))

    run([tool("promtool"), "check", "config", path])


@pytest.mark.parametrize("name", ["grafana-datasource.yaml", "grafana-dashboards.yaml"])
def test_grafana_is_given_what_is_mounted(name: str) -> None:
    given = YAML(typ="safe").load((FOLDER / name).read_text())
    mounts = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]

    match given:
        case {"providers": [{"options": {"path": path}}]}:
            assert path in mounts
        case {"datasources": [{"url": url}]}:
            assert url == "http://prometheus:9090"
