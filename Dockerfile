# The service as an image: two stages, no compiler, no shell needed to start, no root, no secrets.
# BASE is any image with Python 3.11 or newer on a glibc Linux; give a digest for builds that repeat.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    PIP_CONSTRAINT=/src/constraints.txt PIP_BUILD_CONSTRAINT=/src/constraints.txt
RUN python -m venv /opt/stream-sync
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY stream_sync stream_sync
RUN /opt/stream-sync/bin/pip install . && /opt/stream-sync/bin/python -m compileall -q /opt/stream-sync/lib

FROM ${BASE}
# MALLOC_ARENA_MAX: librdkafka's threads would otherwise each keep an arena of their own (hundreds of MB).
ENV PATH=/opt/stream-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
COPY --from=build /opt/stream-sync /opt/stream-sync
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
ENTRYPOINT ["stream-sync"]
CMD ["run", "-c", "/etc/stream-sync/config.yaml"]
