# The service as an image: two stages, no compiler, no shell needed to start, no root, no secrets, nothing written.
# BASE is any image with Python 3.11 or newer (and its venv) on a glibc Linux, amd64 or arm64; give a digest for builds
# that repeat.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# For machines that get packages another way: an index of your own, or a mounted folder of wheels. Hashes hold either way.
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/image.lock deploy/image-build.lock ./
RUN python3 -m venv /build \
 && python3 -m venv --without-pip /opt/stream-sync \
 && /build/bin/python -m pip install --require-hashes --only-binary :all: --no-deps -r image-build.lock \
 && /build/bin/python -m pip --python /opt/stream-sync/bin/python install \
      --require-hashes --only-binary :all: --no-deps --no-compile -r image.lock
COPY pyproject.toml README.md LICENSE ./
COPY stream_sync stream_sync
# Compiled here: the root is read-only, so nothing can be later. Hashes instead of times: the same files each time.
RUN /build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/python -m pip --python /opt/stream-sync/bin/python install --no-index --no-deps --no-compile /wheels/*.whl \
 && /opt/stream-sync/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/stream-sync/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="stream-sync" \
      org.opencontainers.image.description="Keeps Braze, Voyado Engage and Crisp in step with a data warehouse, in seconds" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# MALLOC_ARENA_MAX: librdkafka's threads would otherwise each keep an arena of their own (hundreds of MB).
ENV PATH=/opt/stream-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
COPY --from=build /opt/stream-sync /opt/stream-sync
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
EXPOSE 8080
# For Docker; Kubernetes has its own probes. Another `admin` port: -e ADMIN_PORT=…; with `admin: off`: --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('ADMIN_PORT', 8080)}/healthz\", timeout=4)"]
ENTRYPOINT ["stream-sync"]
CMD ["run", "-c", "/etc/stream-sync/config.yaml"]
