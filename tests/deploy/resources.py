"""The kinds that Kubernetes itself does not know: every key that we use of them, and no other is let through.

From the operators' definitions: monitoring.coreos.com/v1 (Prometheus operator 0.80), keda.sh/v1alpha1 (KEDA 2.17).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ANY: Any = object()
"""Any value: text, or something that its own test looks at."""
EACH = "*"
"""As a key: any key, with this value. In a list the one item stands for all."""
METADATA = {"name": ANY, "namespace": ANY, "labels": {EACH: ANY}}
_SCALING = {"stabilizationWindowSeconds": ANY, "policies": [{"type": ANY, "value": ANY, "periodSeconds": ANY}]}

UNKNOWN_TO_KUBERNETES: Mapping[str, Any] = {
    "PodMonitor": {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": ANY,
        "metadata": METADATA,
        "spec": {
            "selector": {"matchLabels": {EACH: ANY}},
            "podMetricsEndpoints": [{"port": ANY, "path": ANY, "interval": ANY, "scrapeTimeout": ANY}],
        },
    },
    "PrometheusRule": {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": ANY,
        "metadata": METADATA,
        "spec": {
            "groups": [
                {
                    "name": ANY,
                    "rules": [
                        {
                            "record": ANY,
                            "alert": ANY,
                            "expr": ANY,
                            "for": ANY,
                            "labels": {EACH: ANY},
                            "annotations": {EACH: ANY},
                        }
                    ],
                }
            ]
        },
    },
    "ScaledObject": {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": ANY,
        "metadata": METADATA,
        "spec": {
            "scaleTargetRef": {"name": ANY},
            "minReplicaCount": ANY,
            "maxReplicaCount": ANY,
            "pollingInterval": ANY,
            "advanced": {
                "horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": _SCALING, "scaleDown": _SCALING}},
                "scalingModifiers": {"target": ANY, "formula": ANY},
            },
            "fallback": {"failureThreshold": ANY, "replicas": ANY, "behavior": ANY},
            "triggers": [{"type": ANY, "name": ANY, "metadata": {EACH: ANY}}],
        },
    },
}


def unknown_keys(resource: Mapping[str, Any]) -> list[str]:
    """The places of what the definitions do not have."""
    return list(_unknown(resource, UNKNOWN_TO_KUBERNETES[resource["kind"]], resource["kind"]))


def _unknown(found: Any, known: Any, place: str) -> Iterator[str]:
    if known is ANY:
        return
    if isinstance(known, dict) and isinstance(found, dict):
        for key, value in found.items():
            if key in known or EACH in known:
                yield from _unknown(value, known.get(key, known.get(EACH)), f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(known, list) and isinstance(found, list):
        for number, item in enumerate(found):
            yield from _unknown(item, known[0], f"{place}[{number}]")
    elif found != known:
        yield place
