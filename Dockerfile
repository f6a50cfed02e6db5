# Docmill: one image for every part of it.
#   docker build -t docmill:local .
#   docker build -t docmill:local --build-arg EXTRAS="bedrock parquet" .     with what these bring
#   docker run --rm docmill:local --help

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.13-slim-trixie AS build
COPY --from=uv /uv /usr/local/bin/uv
# Bytecode is made here: the image may not write any, and without it every command would be slow.
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
RUN uv venv /opt/docmill

# What Docmill itself needs, in the versions of the lock: a package that the lock does not name, or
# whose hash differs, ends the build. The lock's embedded servers and model and its development
# packages stay out, so a container can only use the services that it is told of.
ARG EXTRAS=""
COPY pyproject.toml requirements.lock ./
RUN uv pip install --python /opt/docmill/bin/python \
    --require-hashes --constraint requirements.lock -r pyproject.toml \
    ${EXTRAS:+$(printf -- '--extra %s ' $EXTRAS)}

COPY README.md LICENSE ./
COPY models models
COPY producer producer
COPY worker worker
COPY migrations migrations
RUN uv pip install --python /opt/docmill/bin/python --no-deps \
    --preview-features build-dependency-hashes \
    --require-build-hashes --build-constraint requirements.lock .

FROM python:3.13-slim-trixie
# The openai SDK trusts the certificates of the system, not those of a Python package.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --uid 10001 --home-dir /var/lib/docmill \
        --shell /usr/sbin/nologin docmill \
    && install --directory --mode 0700 --owner docmill --group docmill /var/lib/docmill
COPY --from=build /opt/docmill /opt/docmill
ENV PATH=/opt/docmill/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DOCMILL_CONFIG=/etc/docmill.toml \
    DOCMILL_HOME=/var/lib/docmill
# By number: only then can a cluster verify that it is not root.
USER 10001:10001
WORKDIR /var/lib/docmill
ENTRYPOINT ["docmill"]
CMD ["--help"]
