# The worker with the example domains; an image of your own adds your domain's package.
FROM python:3.11-slim AS pins
COPY requirements/run.txt /requirements/run.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/run.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# /data is where a side effect may publish to; a volume mounted here starts with this owner.
RUN groupadd --system --gid 10001 mutator \
    && useradd --system --uid 10001 --gid mutator --home-dir /app --no-create-home mutator \
    && install --directory --owner=mutator --group=mutator /data
COPY --from=pins /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .
USER 10001:10001
ENTRYPOINT ["python", "worker.py"]
CMD ["--domain", "examples.feature_flags:domain"]
