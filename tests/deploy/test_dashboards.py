"""The dashboards are models that Grafana imports: whole, without overlaps, and about metrics that there are."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from stream_sync.observability.table import METRICS, PREFIX
from tests.deploy.alerts import alerts, rules
from tests.deploy.models import NAMES, model, panels, queries

UNITS = {"short", "s", "cps", "ops", "reqps", "percentunit"}
"""Names of Grafana's own."""


def test_there_is_one_of_everything_and_one_of_an_activation() -> None:
    assert NAMES == ("activation", "overview")
    assert len({model(name)["uid"] for name in NAMES}) == 2


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_numbered_and_do_not_overlap(name: str) -> None:
    every = model(name)["panels"]
    places = [panel["gridPos"] for panel in every]

    assert [panel["id"] for panel in every] == list(range(1, len(every) + 1))
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize("name", NAMES)
def test_each_panel_says_what_it_is_in_which_unit_and_asks_the_chosen_prometheus(name: str) -> None:
    titles = [panel["title"] for panel in panels(name)]

    assert len(set(titles)) == len(titles)
    for panel in panels(name):
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert panel["targets"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("name", NAMES)
def test_variables_are_declared_and_used(name: str) -> None:
    declared = {variable["name"] for variable in model(name)["templating"]["list"]}
    used = {
        variable for _, query in queries(name) for variable in re.findall(r"\$(\w+)", query) if variable[:2] != "__"
    }

    assert declared == used | {"datasource", "runbook"}


def test_links_lead_to_entries_of_the_runbook() -> None:
    links = [link["url"] for name in NAMES for panel in panels(name) for link in panel["links"]]

    assert {link.removeprefix("${runbook}#") for link in links} <= {alert.lower() for alert in alerts()}
    assert len(set(links)) == len(alerts()), "every alert has a panel that shows what it is about"


def test_queries_ask_for_metrics_that_there_are_and_every_metric_is_asked_for() -> None:
    exposed = {PREFIX + metric.name + ("_bucket" if metric.kind == "histogram" else "") for metric in METRICS}
    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    asked = {metric for name in NAMES for _, query in queries(name) for metric in metrics_in(query)}
    asked |= {
        metric for record in asked & set(recorded) for metric in metrics_in(recorded[record]) if metric in exposed
    }

    assert asked - exposed - set(recorded) == set()
    assert exposed - asked == set()


def metrics_in(query: str) -> list[str]:
    found: list[str] = re.findall(r"[\w:]*stream_sync_\w+(?::\w+)*", query)
    return found
