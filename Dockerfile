FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home speechsearch && mkdir /data && chown speechsearch /data
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt "psycopg[binary]==3.3.9"
COPY app.py pyproject.toml README.md ./
COPY speechsearch speechsearch
COPY ingest ingest
COPY samples samples
USER speechsearch
EXPOSE 7860
CMD ["python", "app.py"]
