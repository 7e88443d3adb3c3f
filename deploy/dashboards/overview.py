"""The dashboard of all activations: is anything wrong, and where."""

from __future__ import annotations

from typing import Any

from deploy.dashboards import common
from deploy.dashboards.panels import GREEN, ORANGE, RED, Panel, Query, Row, Variable, dashboard

_ALL = 'namespace=~"$namespace", job=~"$job"'
_EACH = "{{activation}}"


def _rate(metric: str, by: str) -> str:
    return common.rate(_ALL, metric, by)


def _quantile(share: float, metric: str, by: str) -> str:
    return common.quantile(share, _ALL, metric, f"{by}, le")


_FRESH = Row(
    "Are people fresh?",
    (
        Panel(
            "Halted lanes", "Lanes that send nothing until somebody acts.",
            [Query(f'sum(max by (activation) (stream_sync_lane_state{{{_ALL}, state="halted"}}))')],
            width=4, shape="stat", limits=((None, GREEN), (1, RED)), runbook="StreamSyncLaneHalted",
        ),
        Panel(
            "Destinations that are down", "Only probed, one request at a time.",
            [Query(f"sum(max by (destination) (stream_sync_destination_down{{{_ALL}}}))")],
            width=4, shape="stat", limits=((None, GREEN), (1, RED)), runbook="StreamSyncDestinationDown",
        ),
        Panel(
            "Oldest change that waits", "By activation; 0 when caught up.",
            [Query(f"max by (activation) (stream_sync_oldest_pending_seconds{{{_ALL}}})", _EACH)],
            unit="s", limits=((None, GREEN), (300, ORANGE), (900, RED)), runbook="StreamSyncBehind",
        ),
        Panel(
            "Freshness, 95 %", "From the source's commit to delivered: 95 % of people are quicker.",
            [Query(_quantile(0.95, "stream_sync_freshness_seconds", "activation"), _EACH)],
            unit="s", limits=((None, GREEN), (300, RED)), runbook="StreamSyncFreshnessBurn",
        ),
        Panel(
            "Later than 5 minutes", "Of what was delivered in the last hour; the objective is 1 %.",
            [Query(f"activation:stream_sync_late:ratio_rate1h{{{_ALL}}}", _EACH)],
            unit="percentunit", limits=((None, GREEN), (0.01, ORANGE), (0.144, RED)),
            runbook="StreamSyncFreshnessBurn",
        ),
        common.state("0 running, 1 paused (by a person or a full backlog), 2 waiting, 3 halted.", _ALL, "activation"),
        Panel(
            "Limited by", "What bounds each lane now: where `cpu`, more pods help, up to the partitions.",
            [Query(f"sum by (by) (stream_sync_limited_by{{{_ALL}}})", "{{by}}")], stacked=True,
            runbook="StreamSyncDrain",
        ),
    ),
)  # fmt: skip

_FLOW = Row("Records → intents → outcomes", common.flow(_ALL))

_DESTINATIONS = Row(
    "Destinations",
    (
        Panel(
            "Requests", "By HTTP status, or why there was none.",
            [Query(_rate("stream_sync_requests_total", "destination, status"), "{{destination}} {{status}}")],
            unit="reqps", runbook="StreamSyncDestinationDown",
        ),
        Panel(
            "Time of a request, 95 %", "By destination.",
            [Query(_quantile(0.95, "stream_sync_request_seconds", "destination"), "{{destination}}")],
            unit="s", limits=((None, GREEN), (10, ORANGE)), runbook="StreamSyncDestinationDown",
        ),
        Panel(
            "Retries and throttling", "Attempts that failed, and those that the destination told to wait.",
            [
                Query(_rate("stream_sync_retries_total", "destination, reason"), "{{destination}} {{reason}}"),
                Query(_rate("stream_sync_throttled_total", "destination, reason"), "{{destination}} {{reason}}"),
            ],
            unit="reqps", runbook="StreamSyncQuotaSpent",
        ),
    ),
)  # fmt: skip

_TROUBLE = Row(
    "Deletes, dead letters, warnings",
    (
        Panel(
            "Held deletes", "Parked for a person to decide.",
            [Query(f"max by (activation) (stream_sync_held_deletes{{{_ALL}}})", _EACH)],
            limits=((None, GREEN), (1, ORANGE)), runbook="StreamSyncDeletesHeld",
        ),
        Panel(
            "Dead letters of the last hour", "Rows refused for good, by code.",
            [Query(f"activation_code:stream_sync_dead_letters:increase1h{{{_ALL}}}", _EACH + " {{code}}")],
            limits=((None, GREEN), (1, ORANGE)), runbook="StreamSyncDeadLetters",
        ),
        Panel(
            "Warnings", "What a person should know although nothing failed, by code.",
            [Query(_rate("stream_sync_warnings_total", "activation, code"), _EACH + " {{code}}")], unit="cps",
        ),
    ),
)  # fmt: skip

_KAFKA = Row(
    "Kafka",
    (
        Panel(
            "Backlog in Kafka", "Records that were not taken yet.",
            [Query(f"sum by (activation) (stream_sync_lag_records{{{_ALL}}})", _EACH)], runbook="StreamSyncDrain",
        ),
        Panel(
            "Until it is gone", "The backlog at the pace of the last half hour; a week: that long or never.",
            [Query(f"clamp_max(activation:stream_sync_drain_seconds{{{_ALL}}}, 604800)", _EACH)],
            unit="s", limits=((None, GREEN), (43200, ORANGE)), runbook="StreamSyncDrain",
        ),
        Panel(
            "Commits", "Of offsets, by result.",
            [Query(_rate("stream_sync_commits_total", "activation, result"), _EACH + " {{result}}")], unit="ops",
            runbook="StreamSyncCommitFailing",
        ),
    ),
)  # fmt: skip

_PODS = Row(
    "Pods",
    (
        Panel(
            "Pods by version", "That Prometheus reaches.",
            [Query(f"count by (version) (stream_sync_build_info{{{_ALL}}})", "{{version}}")], width=6,
            runbook="StreamSyncAbsent",
        ),
        Panel(
            "Pods by config", "More than one for longer than a roll-out: pods map people differently.",
            [Query(f"count by (job, hash) (stream_sync_config_info{{{_ALL}}})", "{{job}} {{hash}}")], width=6,
            runbook="StreamSyncSplitConfig",
        ),
        Panel(
            "Rebalances", "How often each pod's partitions changed, in a quarter of an hour.",
            [Query(f"sum by (instance) (increase(stream_sync_rebalances_total{{{_ALL}}}[15m]))", "{{instance}}")],
            width=6, limits=((None, GREEN), (30, ORANGE)), runbook="StreamSyncRebalanceStorm",
        ),
        Panel(
            "People on the wire", "By pod.",
            [Query(f"sum by (instance) (stream_sync_in_flight{{{_ALL}}})", "{{instance}}")], width=6,
        ),
    ),
)  # fmt: skip


def overview() -> dict[str, Any]:
    """The model."""
    return dashboard(
        "stream-sync-overview",
        "stream-sync: overview",
        "All activations: is anything wrong, and where.",
        (Variable("namespace", "stream_sync_build_info"), Variable("job", "stream_sync_build_info")),
        (_FRESH, _FLOW, _DESTINATIONS, _TROUBLE, _KAFKA, _PODS),
    )
