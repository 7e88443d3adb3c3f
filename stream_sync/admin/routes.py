"""The API in one table: a new endpoint is a line here and a method of `api.Api`. The OpenAPI document is made of it.

Invariants: what changes anything is a POST; a GET changes nothing.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from stream_sync.admin import views

MOST_LISTED = 200
"""Letters in one answer."""


class Parameter(NamedTuple):
    """One parameter of a query."""

    name: str
    schema: dict[str, Any]
    meaning: str


class Route(NamedTuple):
    """One endpoint. `name`: the method that answers."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    meaning: str
    answer: type
    query: tuple[Parameter, ...] = ()
    body: type | None = None
    status: int = 200
    failures: tuple[int, ...] = ()


LIMIT = Parameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 50}, "how many letters at most"
)
CODE = Parameter("code", {"type": "string", "maxLength": 64}, "only letters with this code")
AFTER = Parameter("after", {"type": "integer", "minimum": 0, "default": 0}, "only what came after this `last`")
_OF = "/api/activations/{activation}"

ROUTES = (
    Route("GET", "/api/lanes", "lanes", "The lanes of this process: state, lag, freshness, limits, held, letters",
          views.Lanes),
    Route("GET", f"{_OF}/letters", "letters", "Open dead letters, the oldest first", views.Letters, (LIMIT, CODE),
          failures=(404, 503)),
    Route("GET", f"{_OF}/held", "held", "Held deletes, the oldest first", views.Letters, (LIMIT,), failures=(404, 503)),
    Route("GET", "/api/changes", "changes", "What became of people's changes while somebody looks, masked",
          views.Changes, (AFTER,)),
    Route("POST", f"{_OF}/pause", "pause", "Nothing more is taken or sent until resumed; the backlog stays in Kafka",
          views.Done, failures=(404,)),
    Route("POST", f"{_OF}/resume", "resume", "Goes on after a pause", views.Done, failures=(404,)),
    Route("POST", f"{_OF}/letters/replay", "replay", "Sends each letter's person as they are now",
          views.Job, body=views.Order, status=202, failures=(400, 404, 409)),
    Route("POST", f"{_OF}/held/release", "release", "Deletes those of the held deletes who are still gone",
          views.Job, body=views.Order, status=202, failures=(400, 404, 409)),
    Route("POST", f"{_OF}/held/discard", "discard", "Drops the held deletes: nobody is deleted",
          views.Job, body=views.Order, status=202, failures=(400, 404, 409)),
    Route("GET", "/api/jobs", "jobs", "Replays, releases and discards that this process did or does", views.Jobs),
    Route("POST", "/api/jobs/{job}/stop", "stop", "Ends one early; what is left stays open", views.Job,
          failures=(404,)),
)  # fmt: skip
