"""The recording and alert rules as tests read them."""

from __future__ import annotations

from functools import cache
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.tools import DEPLOY

RULES = DEPLOY / "prometheus" / "rules.yaml"
RULES_TEST = DEPLOY / "prometheus" / "rules_test.yaml"
RUNBOOK = DEPLOY / "RUNBOOK.md"
PREFIX = "StreamSync"


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Every rule, of every group, in order."""
    groups = YAML(typ="safe").load(RULES.read_text())["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def alerts() -> tuple[str, ...]:
    """Their names, each once."""
    return tuple(dict.fromkeys(rule["alert"] for rule in rules() if "alert" in rule))
