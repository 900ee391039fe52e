FROM python:3.13-slim AS build

# Without pip: what runs in it needs none. The image's own pip fills it.
RUN python -m venv --without-pip /opt/goodword

WORKDIR /src

# The dependencies come before the source, so that this layer is made anew only when the lock changes. Wheels
# alone: nothing of theirs is run to install them. pip compiles what it installs to byte code.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/goodword install --only-binary :all: --require-hashes --requirement requirements.lock

# The build backend is in the lock too, so there is nothing left to fetch.
COPY pyproject.toml LICENSE ./
COPY src ./src
RUN pip --python /opt/goodword install --no-cache-dir --no-index --no-deps --no-build-isolation .


FROM python:3.13-slim

LABEL org.opencontainers.image.title="Goodword" \
      org.opencontainers.image.description="A self-hosted referral service" \
      org.opencontainers.image.licenses="Apache-2.0"

# The base image leaves out the byte code of the standard library. Nothing can write it later, so every process
# and every health check would compile what it imports anew.
RUN python -m compileall -q -j 0 /usr/local/lib/python3.* \
    && groupadd --gid 10001 goodword \
    && useradd --no-log-init --uid 10001 --gid goodword --home-dir /data --no-create-home \
               --shell /usr/sbin/nologin goodword \
    && install --directory --owner goodword --group goodword --mode 0700 /data

# Owned by root: the service cannot change its own code.
COPY --from=build /opt/goodword /opt/goodword

ENV PATH=/opt/goodword/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GOODWORD_DATA_DIR=/data

# The only place that the service writes to; the root file system may be mounted read-only.
VOLUME /data

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000

# /livez and not /readyz: a database that is out is no reason to restart the service. http.client and not
# urllib, which would ask a proxy that is set in the environment.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/livez'); exit(c.getresponse().status != 200)"]

CMD ["goodword", "serve", "--host", "0.0.0.0"]
