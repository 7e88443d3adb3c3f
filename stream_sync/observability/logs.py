"""What the service says while it runs: an event name and fields; key-value on a terminal, JSON lines otherwise.

Invariants:
- Every line passes the redaction last: no secret leaves the process in a log, in any field, key or traceback, nor in
  its base64, URL-encoded or JSON-escaped form.
- Tracebacks are without local variables, and without what other people's exceptions say: it may be a row's value.
- Other libraries' log lines (stdlib logging) go the same way, from WARNING on; so does what an event loop has to say
  of a task that failed unheard.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from stream_sync.observability.redaction import Redaction
from stream_sync.observability.tracebacks import text_of

_redaction = Redaction()


def configure(stream: TextIO, secrets: Iterable[str] = (), json: bool | None = None, level: int = logging.INFO) -> None:
    """Sets up structlog and stdlib logging to write to `stream`. `json`: None = unless `stream` is a terminal."""
    for secret in secrets:
        _redaction.add(secret)
    as_json = not stream.isatty() if json is None else json
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _format_exc_info,
    ]
    end: list[Processor] = [_redact, _json_renderer() if as_json else _key_value_renderer(stream)]
    structlog.configure(
        processors=[*common, *end],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        # A logger kept by a module must see a later `configure`.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def add_secret(secret: str) -> None:
    """From now on this text is redacted too: for secrets that are read again while the service runs."""
    _redaction.add(secret)


def hear_loop(loop: asyncio.AbstractEventLoop) -> None:
    """From now on what fails in the loop unheard is a line of ours: asyncio's own would show the exception's text."""

    def tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        logger().error("task_failed", what=context["message"], exc_info=context.get("exception"))

    loop.set_exception_handler(tell)


def logger(**fields: object) -> FilteringBoundLogger:
    """A logger whose lines all carry these fields."""
    bound: FilteringBoundLogger = structlog.get_logger(**fields)
    return bound


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {str(_redaction.of(name)): _redaction.of(value) for name, value in event.items()}


def _format_exc_info(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`exc_info` (True, an exception, or what `sys.exc_info()` gives) becomes `exception`."""
    match event.pop("exc_info", None):
        case BaseException() as error:
            event["exception"] = text_of(error)
        case (_, BaseException() as error, _):
            event["exception"] = text_of(error)
        case True if (current := sys.exc_info()[1]) is not None:
            event["exception"] = text_of(current)
    return event


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)


def _key_value_renderer(stream: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
