"""The dashboard of one activation: what it does, what bounds it, and what it refused."""

from __future__ import annotations

from typing import Any

from deploy.dashboards import common
from deploy.dashboards.panels import GREEN, ORANGE, RED, Panel, Query, Row, Variable, dashboard

_ONE = 'namespace=~"$namespace", job=~"$job", activation="$activation"'


def _rate(metric: str, by: str) -> str:
    return common.rate(_ONE, metric, by)


def _quantile(share: float, metric: str) -> str:
    return common.quantile(share, _ONE, metric)


def _of(metric: str, fold: str = "sum") -> str:
    return f"{fold}({metric}{{{_ONE}}})"


_FRESH = Row(
    "Are its people fresh?",
    (
        common.state("Of each pod's part of the lane.", _ONE, "instance"),
        Panel(
            "Oldest change that waits", "0 when caught up.",
            [Query(_of("stream_sync_oldest_pending_seconds", "max"), "oldest")],
            unit="s", limits=((None, GREEN), (300, ORANGE), (900, RED)), runbook="StreamSyncBehind",
        ),
        Panel(
            "Freshness", "From the source's commit to delivered: half of the people, 95 %, 99 %.",
            [
                Query(_quantile(quantile, "stream_sync_freshness_seconds"), f"{quantile:.0%}")
                for quantile in (0.5, 0.95, 0.99)
            ],
            unit="s", limits=((None, GREEN), (300, RED)), runbook="StreamSyncFreshnessBurn",
        ),
        Panel(
            "Freshness, all of it", "People delivered, by how old what they got was.",
            [Query(f"sum by (le) (increase(stream_sync_freshness_seconds_bucket{{{_ONE}}}{common.RANGE}))", "{{le}}")],
            unit="s", width=12, shape="heatmap", runbook="StreamSyncFreshnessBurn",
        ),
        Panel(
            "Limited by", "What bounds it, on how many pods: where `cpu`, more pods help, up to the partitions.",
            [Query(f"sum by (by) (stream_sync_limited_by{{{_ONE}}})", "{{by}}")], width=12, stacked=True,
            runbook="StreamSyncDrain",
        ),
    ),
)  # fmt: skip

_FLOW = Row(
    "Records → intents → outcomes",
    (
        *common.flow(_ONE),
        Panel(
            "Backlog", "In Kafka, in memory, and people on the wire.",
            [
                Query(_of("stream_sync_lag_records"), "in Kafka"),
                Query(_of("stream_sync_pending_intents"), "in memory"),
                Query(_of("stream_sync_in_flight"), "on the wire"),
            ],
            runbook="StreamSyncDrain",
        ),
        Panel(
            "Until it is gone", "The backlog at the pace of the last half hour; a week: that long or never.",
            [Query(f"clamp_max(activation:stream_sync_drain_seconds{{{_ONE}}}, 604800)", "until then")],
            unit="s", limits=((None, GREEN), (43200, ORANGE)), runbook="StreamSyncDrain",
        ),
        Panel(
            "People a request", "Half of the requests carry more than the first line says.",
            [Query(_quantile(quantile, "stream_sync_batch_size"), f"{quantile:.0%}") for quantile in (0.5, 0.95)],
        ),
    ),
)  # fmt: skip

_TROUBLE = Row(
    "Deletes, dead letters, warnings",
    (
        Panel(
            "Deletes", "Parked for a person to decide; left in the budget, on all pods. Of mirrors only.",
            [
                Query(_of("stream_sync_held_deletes", "max"), "held"),
                Query(_of("stream_sync_delete_budget_remaining"), "left in the budget"),
            ],
            runbook="StreamSyncDeletesHeld",
        ),
        Panel(
            "Dead letters of the last hour", "Rows refused for good, by code.",
            [Query(f"activation_code:stream_sync_dead_letters:increase1h{{{_ONE}}}", "{{code}}")],
            limits=((None, GREEN), (1, ORANGE)), runbook="StreamSyncDeadLetters",
        ),
        Panel(
            "Warnings", "What a person should know although nothing failed, by code.",
            [Query(_rate("stream_sync_warnings_total", "code"), "{{code}}")], unit="cps",
        ),
    ),
)  # fmt: skip

_PODS = Row(
    "Kafka and pods",
    (
        Panel(
            "Records by pod", "A pod without partitions reads nothing.",
            [Query(_rate("stream_sync_records_total", "instance"), "{{instance}}")], unit="cps", stacked=True,
        ),
        Panel(
            "Commits", "Of offsets, by result.",
            [Query(_rate("stream_sync_commits_total", "result"), "{{result}}")], unit="ops",
            runbook="StreamSyncCommitFailing",
        ),
        Panel(
            "Rebalances", "How often each pod's partitions changed, in a quarter of an hour.",
            [Query(f"sum by (instance) (increase(stream_sync_rebalances_total{{{_ONE}}}[15m]))", "{{instance}}")],
            limits=((None, GREEN), (30, ORANGE)), runbook="StreamSyncRebalanceStorm",
        ),
    ),
)  # fmt: skip


def activation() -> dict[str, Any]:
    """The model."""
    return dashboard(
        "stream-sync-activation",
        "stream-sync: one activation",
        "One activation: what it does, what bounds it, and what it refused.",
        (
            Variable("namespace", "stream_sync_build_info"),
            Variable("job", "stream_sync_build_info"),
            Variable("activation", 'stream_sync_lane_state{namespace=~"$namespace", job=~"$job"}', several=False),
        ),
        (_FRESH, _FLOW, _TROUBLE, _PODS),
    )
