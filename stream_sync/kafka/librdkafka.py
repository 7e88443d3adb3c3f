"""librdkafka as confluent_kafka has loaded it, asked for what that does not offer: which properties there are.

Invariants: no client is made, no thread started and nothing connected to; its own texts, which may hold a value, stay
here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal

from confluent_kafka import cimpl

Taken = Literal["taken", "unknown", "wrong"]
_TAKEN: dict[int, Taken] = {0: "taken", -2: "unknown", -1: "wrong"}
"""RD_KAFKA_CONF_OK, _UNKNOWN and _INVALID, of rdkafka.h."""


def functions(signatures: Mapping[str, tuple[Any, list[Any]]]) -> ctypes.CDLL:
    """librdkafka with these functions, each with the types of its result and its arguments. Names looked up in
    confluent_kafka's module are found in what that is linked with, wherever the wheel keeps it."""
    library = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def taken(name: str, value: str) -> Taken:
    """Whether a property exists and may have this value, as far as one property tells it."""
    library = _configuration()
    settings, reason = library.rd_kafka_conf_new(), ctypes.create_string_buffer(512)
    try:
        return _TAKEN[library.rd_kafka_conf_set(settings, name.encode(), value.encode(), reason, len(reason))]
    finally:
        library.rd_kafka_conf_destroy(settings)


@cache
def known() -> Collection[str]:
    """The names of all properties."""
    library, count = _configuration(), ctypes.c_size_t()
    settings = library.rd_kafka_conf_new()
    try:
        dumped = library.rd_kafka_conf_dump(settings, ctypes.byref(count))
        names = frozenset(dumped[place].decode() for place in range(0, count.value, 2))
        library.rd_kafka_conf_dump_free(dumped, count)
    finally:
        library.rd_kafka_conf_destroy(settings)
    return names


@cache
def _configuration() -> ctypes.CDLL:
    pointer, text, number, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    pairs = ctypes.POINTER(ctypes.c_char_p)
    return functions(
        {
            "rd_kafka_conf_new": (pointer, []),
            "rd_kafka_conf_set": (number, [pointer, text, text, text, size]),
            "rd_kafka_conf_destroy": (None, [pointer]),
            "rd_kafka_conf_dump": (pairs, [pointer, ctypes.POINTER(size)]),
            "rd_kafka_conf_dump_free": (None, [pairs, size]),
        }
    )
