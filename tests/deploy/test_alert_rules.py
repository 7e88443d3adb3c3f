"""The alert rules are right: as Prometheus' own tool says, and each fires when it should and not when it should not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from stream_sync.observability.table import METRICS, PREFIX
from tests.deploy.alerts import RULES, RULES_TEST, RUNBOOK, alerts, rules
from tests.deploy.tools import run, tool

WANTED = (
    "LaneHalted", "Behind", "Stuck", "FreshnessBurn", "DeadLetters", "DeletesHeld", "Drain", "QuotaSpent",
    "DestinationDown", "CommitFailing", "RebalanceStorm", "Absent", "SplitConfig",
)  # fmt: skip


def test_there_is_an_alert_for_each_thing_that_an_operator_must_hear_of() -> None:
    assert alerts() == tuple(f"StreamSync{name}" for name in WANTED)


@pytest.mark.parametrize("rule", [rule for rule in rules() if "alert" in rule], ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"/{RUNBOOK.name}#{rule['alert'].lower()}")


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    exposed = {PREFIX + metric.name for metric in METRICS}
    exposed |= {
        PREFIX + metric.name + part
        for metric in METRICS
        if metric.kind == "histogram"
        for part in ("_bucket", "_count", "_sum")
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for rule in rules() for name in re.findall(r"[\w:]*stream_sync_\w+(?::\w+)*", rule["expr"])}

    assert asked - recorded - exposed == set()


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [
        check for test in YAML(typ="safe").load(RULES_TEST.read_text())["tests"] for check in test["alert_rule_test"]
    ]
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    does_not = {case["alertname"] for case in cases if not case["exp_alerts"]}

    assert fires == does_not == set(alerts())


def test_prometheus_own_tool_finds_the_rules_right_and_their_cases_come_true() -> None:
    promtool = tool("promtool")
    run([promtool, "check", "rules", "--lint-fatal", RULES])
    run([promtool, "test", "rules", RULES_TEST])
