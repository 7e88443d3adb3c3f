"""The address of the last-delivered state: a file, or a Redis server.

Invariants: an address may hold a password, so none is ever in a message; nothing in it weakens TLS.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from stream_sync.config.values import Secret, refuse

FORMS = "write sqlite:///PATH for one process, redis://HOST:PORT/NUMBER or rediss://… for several"
OPTIONS = frozenset({"ssl_ca_certs"})
"""What may follow the `?`: the file of the authorities that sign the server's certificate."""


def state_url(url: Secret) -> Secret:
    """Refuses what no store can be opened with."""
    try:
        parts = urlsplit(url.reveal())
        host, _ = parts.hostname, parts.port
    except ValueError:
        refuse(f"is no address; {FORMS}")
    if parts.scheme == "sqlite":
        is_whole = url.reveal().startswith("sqlite:///") and parts.path.strip("/") not in ("", ":memory:")
        if host or not is_whole or parts.query:
            refuse("is no file; write sqlite:///PATH with the whole path: sqlite:///var/lib/stream-sync/state.db")
    elif parts.scheme in ("redis", "rediss"):
        if not host:
            refuse(f"names no host; {FORMS}")
        if not parts.path.strip("/").isdecimal() and parts.path.strip("/"):
            refuse("should end with the number of a database, as redis://HOST:6379/0, or with nothing")
        if parts.scheme == "redis" and parts.query:
            refuse("is not encrypted and takes nothing after the `?`; write rediss:// to verify a certificate")
        if {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - OPTIONS or parts.fragment:
            refuse(f"takes nothing but {', '.join(sorted(OPTIONS))} after the `?`: certificates are always verified")
    else:
        refuse(f"is of no kind that is known; {FORMS}")
    return url


def parts_of(url: Secret) -> SplitResult:
    """Of one that `state_url` took."""
    return urlsplit(url.reveal())


def file_of(url: Secret) -> Path | None:
    """The file that an address names; None for a server."""
    parts = parts_of(url)
    return Path("/" + unquote(parts.path).lstrip("/")) if parts.scheme == "sqlite" else None


def authority_of(url: Secret) -> Path | None:
    """The file of the authority that signs the server's certificate; None for the system's."""
    paths = [value for name, value in parse_qsl(parts_of(url).query) if name == "ssl_ca_certs"]
    return Path(paths[-1]) if paths else None
