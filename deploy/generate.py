"""Writes what is made from something else in this folder: `python -m deploy.generate`. A test keeps it current.

`components/prometheus-rule/prometheus-rule.yaml` is `prometheus/rules.yaml` as Prometheus' operator takes it;
`components/grafana/*.json` are the dashboards of `dashboards/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.dashboards.activation import activation
from deploy.dashboards.overview import overview

DEPLOY = Path(__file__).parent
RULES = DEPLOY / "prometheus" / "rules.yaml"
PROMETHEUS_RULE = DEPLOY / "components" / "prometheus-rule" / "prometheus-rule.yaml"
GRAFANA = DEPLOY / "components" / "grafana"
_HEAD = """\
# Written by `python -m deploy.generate` from ../../prometheus/rules.yaml: edit that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: stream-sync
  labels:
    app.kubernetes.io/name: stream-sync
spec:
"""


def generated() -> dict[Path, str]:
    """Each file's text, as it should be."""
    groups = RULES.read_text().partition("\ngroups:\n")[2]
    indented = "".join(f"  {line}\n" if line else "\n" for line in f"groups:\n{groups}".splitlines())
    return {
        PROMETHEUS_RULE: _HEAD + indented,
        GRAFANA / "overview.json": _json(overview()),
        GRAFANA / "activation.json": _json(activation()),
    }


def _json(model: dict[str, Any]) -> str:
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for path, text in generated().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
