# The image of scheduler, worker and web: Python, the locked packages, our modules and our SQL.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements/base.lock /base.lock
RUN python -m venv --without-pip /venv && \
    python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r /base.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=packages /venv /venv
COPY sql sql
COPY pinguin pinguin
RUN python -m compileall -q pinguin
# By number: it needs no entry in /etc/passwd, and Kubernetes' runAsNonRoot understands it.
USER 10001:10001
ENTRYPOINT ["python", "-m", "pinguin"]
CMD ["--help"]
