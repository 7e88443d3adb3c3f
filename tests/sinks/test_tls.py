"""Who answers is who the certificate says, and the system's authorities, or those of SSL_CERT_FILE, vouch for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from stream_sync.config.values import Rate
from stream_sync.sinks.http import Failure, Http, Reply
from stream_sync.sinks.pace import Pace
from tests.sinks.rude_server import answering, response

CLIENT = """
import asyncio, sys
from stream_sync.config.values import Rate
from stream_sync.sinks.http import Http
from stream_sync.sinks.pace import Pace

async def ask():
    http = Http(sys.argv[1], dict, lambda *_: None)
    answer = await http.request("GET", "/", endpoint="x", pace=Pace(Rate(10, 1.0)))
    await http.close()
    return answer

print(getattr(answer := asyncio.run(ask()), "status", answer))
"""


class Certificate(NamedTuple):
    """Signed by itself."""

    path: Path
    key: Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of the name localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("no `openssl` here to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(made.key), "-out", str(made.path)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *curve, *subject, *files], check=True, capture_output=True)
    return made


@asynccontextmanager
async def tls_server(certificate: Certificate, most: ssl.TLSVersion | None = None) -> AsyncIterator[int]:
    """Its port; it answers 200."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key)
    if most is not None:
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, most
        context.set_ciphers("ALL:@SECLEVEL=0")
    server = await asyncio.start_server(answering(response("200 OK")), "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(address: str) -> Reply | Failure:
    http = Http(address, dict, lambda *_: None)
    try:
        return await http.request("GET", "/", endpoint="x", pace=Pace(Rate(10, 1.0)))
    finally:
        await http.close()


async def ask_trusting(certificate: Certificate, address: str) -> str:
    """Another process, told by SSL_CERT_FILE whom to trust."""
    environ = {**os.environ, "SSL_CERT_FILE": str(certificate.path)}
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, address, env=environ, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(client.communicate(), 60)
    return said.decode().strip()


async def test_a_server_that_vouches_for_itself_is_refused(certificate: Certificate) -> None:
    async with tls_server(certificate) as port:
        assert await ask(f"https://localhost:{port}") == Failure("tls")


async def test_a_private_authority_is_trusted_by_file_and_only_for_its_names(certificate: Certificate) -> None:
    async with tls_server(certificate) as port:
        trusted, misnamed = await asyncio.gather(
            ask_trusting(certificate, f"https://localhost:{port}"),
            ask_trusting(certificate, f"https://127.0.0.1:{port}"),
        )
    assert trusted == "200"
    assert "tls" in misnamed


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_of_yesterday_is_refused(certificate: Certificate) -> None:
    async with tls_server(certificate, ssl.TLSVersion.TLSv1_1) as port:
        assert (await ask_trusting(certificate, f"https://localhost:{port}")).startswith("Failure")
