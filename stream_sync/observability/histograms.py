"""A histogram that takes a batch of values in one call: Prometheus' own costs 1.5 µs a value, a third of decoding it.

Invariants:
- `Histograms` is one metric family; `of` gives its child for fixed label values, and the same one every time.
- Written and read from one event loop; a scrape sees each batch wholly or not at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Histogram:
    """The values of one set of labels."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Adds one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Adds a batch of values."""
        ordered, counted = sorted(values), 0
        for index, bound in enumerate(self._bounds):
            below = bisect_right(ordered, bound)
            self._counts[index] += below - counted
            counted = below
            if counted == len(ordered):
                break
        self._counts[-1] += len(ordered) - counted
        self._sum += sum(ordered)

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound as text and how many values are at most that, as Prometheus counts."""
        running, buckets = 0, []
        for bound, count in zip([*self._bounds, float("inf")], self._counts, strict=True):
            running += count
            buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(running)))
        return buckets

    @property
    def sum(self) -> float:
        return self._sum


class Histograms(Collector):
    """One histogram metric; register it with a CollectorRegistry."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        """`bounds`: the buckets' upper ends, ascending, without infinity."""
        self._name = name
        self._meaning = meaning
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._children: dict[tuple[str, ...], Histogram] = {}

    def of(self, *labels: str) -> Histogram:
        """The histogram of these label values, in the order of the metric's labels."""
        if (child := self._children.get(labels)) is None:
            assert len(labels) == len(self._labels), f"{self._name} has the labels {self._labels}"
            child = self._children[labels] = Histogram(self._bounds)
        return child

    def describe(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, child in self._children.items():
            family.add_metric(labels, child.buckets(), child.sum)
        yield family
