# Turnout as a container: see docs/deployment.md. Two stages, so that the image holds no build tools of ours and no sources.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/turnout && python -m venv /opt/build
COPY requirements/build.lock requirements/base.lock requirements/
RUN /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/build.lock \
 && /opt/turnout/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/base.lock
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/turnout/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && /opt/turnout/bin/pip check
# prices are extracted once, here, instead of at every start
ENV XDG_CACHE_HOME=/opt/turnout/cache
RUN /opt/turnout/bin/python -m turnout.upstream.prices

FROM python:3.13-slim
COPY --from=build /opt/turnout /opt/turnout
RUN useradd --system --uid 10001 --home-dir /data --no-create-home turnout \
 && install -d -o turnout -g turnout -m 700 /data
ENV PATH=/opt/turnout/bin:$PATH XDG_CACHE_HOME=/opt/turnout/cache PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
CMD ["turnout", "serve", "--config", "/etc/turnout/turnout.yaml", "--host", "0.0.0.0", "--port", "8080"]
