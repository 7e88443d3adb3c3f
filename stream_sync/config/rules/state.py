"""The last-delivered state: whether it can be kept, and what it does not go with."""

from __future__ import annotations

import os
from importlib.util import find_spec

from stream_sync.config.problems import Place, Report
from stream_sync.config.rules.accounts import is_same
from stream_sync.config.rules.parts import Parts
from stream_sync.config.settings import State
from stream_sync.config.state_urls import authority_of, file_of, parts_of
from stream_sync.config.values import is_loopback

URL = ("state", "url")


def check_state(state: State | None, parts: Parts, report: Report) -> None:
    """`state` of the file and of its activations."""
    if state is None:
        for name, activation in parts.activations.items():
            place = ("activations", name, "state")
            is_wanted = activation.state == "on" and "state" in activation.model_fields_set
            if is_wanted and report.clean(place) and "state" not in parts.written["top"]:
                cure = "add `state: {url: sqlite:///PATH}` at the top of the file, or remove this"
                report.problem(place, f"there is no state to use: {cure}")
        return
    _check_store(state, report)
    _check_mirrors(parts, report)
    _check_unproven(parts, report)


def _check_store(state: State, report: Report) -> None:
    file = file_of(state.url)
    if file is not None:
        if not file.parent.is_dir():
            report.problem(URL, f"there is no folder {file.parent}: make it, where it outlives the process")
        elif file.is_dir():
            report.problem(URL, f"{file} is a folder: name a file in it")
        elif not os.access(file if file.exists() else file.parent, os.W_OK):
            report.warning(URL, f"{file} cannot be written by you: the service must be able to")
        return
    if find_spec("redis") is None:
        report.problem(URL, "needs the package redis: pip install 'stream-sync[redis]'")
    parts = parts_of(state.url)
    if parts.scheme == "redis" and not is_loopback(parts.hostname or ""):
        report.warning(URL, "is not encrypted: whoever listens sees all of it, a password too; rediss:// is")
    authority = authority_of(state.url)
    if authority is not None and not authority.is_file():
        report.problem(URL, f"there is no file {authority}: ssl_ca_certs names that of your authority")


def _check_mirrors(parts: Parts, report: Report) -> None:
    """A Delete of a mirror must be known to whoever keeps what they delivered to the same account."""
    for name, activation in parts.activations.items():
        mine = parts.destinations.get(activation.destination)
        if activation.mode != "mirror" or activation.state == "on" or mine is None:
            continue
        for other, beside in parts.activations.items():
            theirs = parts.destinations.get(beside.destination)
            if other != name and beside.state == "on" and theirs is not None and is_same(mine, theirs):
                report.problem(
                    ("activations", name, "state"),
                    f"is off, but '{other}' sends to the same account with it: it would take people whom this mirror "
                    f"deleted for still there; let both use the state, or neither",
                )


def _check_unproven(parts: Parts, report: Report) -> None:
    for name, activation in parts.activations.items():
        destination = parts.destinations.get(activation.destination)
        place: Place = ("activations", name)
        if destination is None or activation.state == "off" or not report.clean((*place, "mode")):
            continue
        if not all(destination.sink.proves(activation.mode, identifier) for identifier in activation.identifier):
            why = "does not say whether it knows the person of an update"
            report.warning(place, f"{destination.settings.type} {why}: the state leaves nothing out here")
