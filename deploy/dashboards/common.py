"""What the dashboards of all activations and of one show alike; they differ in which series they select."""

from __future__ import annotations

from deploy.dashboards.panels import BLUE, GREEN, GREY, RED, Panel, Query

RANGE = "[$__rate_interval]"


def rate(selector: str, metric: str, by: str) -> str:
    """The query of a counter's pace."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}{RANGE}))"


def quantile(share: float, selector: str, metric: str, by: str = "le") -> str:
    """The query of a histogram's quantile. `by`: labels to keep apart, `le` among them."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{selector}}}{RANGE})))"


def state(told: str, selector: str, by: str) -> Panel:
    """Which state the lanes are in, one line for each value of `by`."""
    paused, waiting, halted = (
        f'stream_sync_lane_state{{{selector}, state="{each}"}}' for each in ("paused", "waiting", "halted")
    )
    return Panel(
        "State", told,
        [Query(f"max by ({by}) ({paused} or 2 * {waiting} or 3 * {halted})", f"{{{{{by}}}}}")],
        shape="state-timeline", limits=((None, GREEN), (1, BLUE), (2, GREY), (3, RED)),
        words=(("0", "running", GREEN), ("1", "paused", BLUE), ("2", "waiting", GREY), ("3", "halted", RED)),
        runbook="StreamSyncLaneHalted",
    )  # fmt: skip


def flow(selector: str) -> tuple[Panel, ...]:
    """Records → intents → outcomes."""
    return (
        Panel(
            "Records", "Read from Kafka: routed, skipped (nothing to do), undecodable (a dead letter).",
            [Query(rate(selector, "stream_sync_records_total", "result"), "{{result}}")], unit="cps", stacked=True,
        ),
        Panel(
            "Intents", "What they became, before merging, and updates with nothing to send.",
            [
                Query(rate(selector, "stream_sync_intents_total", "kind"), "{{kind}}"),
                Query(f"sum(rate(stream_sync_unchanged_total{{{selector}}}{RANGE}))", "unchanged"),
            ],
            unit="cps", stacked=True,
        ),
        Panel(
            "Outcomes", "What became of the intents.",
            [Query(rate(selector, "stream_sync_outcomes_total", "outcome"), "{{outcome}}")], unit="cps", stacked=True,
            runbook="StreamSyncStuck",
        ),
    )  # fmt: skip
