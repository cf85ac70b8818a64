# An image for each model, one for the backend, one for the load driver, and one that tests what is deployed.
#
#     docker build --target service --build-arg MODEL=reactor --tag sweetspot/reactor .
#     docker build --target service --build-arg MODEL=grpcio_threads --build-arg EXTRAS=baselines ...
#     docker build --target backend --tag sweetspot/backend .
#     docker build --target driver --build-arg EXTRAS="driver cluster" --tag sweetspot/driver .
#     docker build --target conformance --build-arg EXTRAS=conformance --tag sweetspot/conformance .
#
# `make images` does all of them. Layers, from the shared to the particular: Python, what every service installs, the
# code but for the models, what the extras add, what is the model's alone.

FROM python:3.13-slim AS build
WORKDIR /build
# Only wheels and only what the lock has a hash of: nothing is compiled, and nothing is chosen here. Byte code is made
# once, and not checked against its source at each start: the file system of a container is read-only.
ENV INSTALL="pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary=:all: --no-compile" \
    COMPILE="python -m compileall -q --invalidation-mode unchecked-hash"
COPY requirements/service.txt requirements/
RUN $INSTALL --target /packages --requirement requirements/service.txt && $COMPILE /packages

FROM build AS extras
ARG EXTRAS=""
COPY requirements requirements
RUN mkdir /extras && for extra in $EXTRAS; do $INSTALL --target /extras --requirement requirements/$extra.txt || exit 1; done \
    && $COMPILE /extras

FROM build AS code
COPY protos/sweetspot /code/sweetspot
COPY services /code/services
# Of the tools only what runs in a driver's pod: one module and what it imports, and the script that it starts.
COPY tools/*.py tools/*.json /tools/
COPY tools/cluster /tools/cluster
COPY tools/experiment /tools/experiment
RUN python -c "from modulefinder import ModuleFinder; from pathlib import Path; found = ModuleFinder(['/']); \
found.import_hook('tools.cluster.shard'); found.import_hook('tools.orphan_guard'); \
needed = {module.__file__ for module in found.modules.values()}; \
[path.unlink() for path in Path('/tools').rglob('*.py') if str(path) not in needed]"
# Each model's file and its byte code, with the folder of services/runtime that no other model needs.
RUN find /code -name '*.proto' -delete -o -name '*.pyi' -delete && $COMPILE /code /tools && cd /code \
    && for file in services/models/[!_]*.py; do \
        model=$(basename "$file" .py) && mkdir -p "/models/$model/services/models/__pycache__" \
        && mv "$file" "/models/$model/services/models/" \
        && mv services/models/__pycache__/"$model".* "/models/$model/services/models/__pycache__/" \
        && if [ -d "services/runtime/$model" ]; then \
            mkdir "/models/$model/services/runtime" && mv "services/runtime/$model" "/models/$model/services/runtime/"; \
        fi || exit 1; \
    done && mv services/driver /driver

FROM python:3.13-slim AS python
# Nothing is installed any more.
RUN rm -rf "$(python -c 'import pip; print(*pip.__path__)')" /usr/local/bin/pip* /usr/bin/pip* \
    /usr/local/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=build /packages /app/packages
COPY --from=code /code /app
WORKDIR /app
USER 65532:65532
# The addresses that probes, Services and the chart rely on.
ENV PYTHONPATH=/app:/app/packages PYTHONDONTWRITEBYTECODE=1 \
    SWEETSPOT_HOST=:: SWEETSPOT_PORT=50051 SWEETSPOT_CONTROL_PORT=50052
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Sweetspot" \
    org.opencontainers.image.description="Every server concurrency model behind one gRPC workload" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"

FROM python AS backend
EXPOSE 50051 50052 9464
ENTRYPOINT ["python", "-m", "services", "backend"]

FROM python AS driver
COPY --from=extras /extras /app/packages
COPY --from=code /driver /app/services/driver
COPY --from=code /tools /app/tools
ENTRYPOINT ["python", "-m", "services.driver"]

FROM python AS conformance
COPY --from=extras /extras /app/packages
COPY tests/serving.py tests/
COPY tests/conformance tests/conformance
# The suite and the claims ask the same plans. Without __init__.py beside it, nothing else of the tools is imported.
COPY tools/claims/counting/answers.py tools/claims/counting/
ENTRYPOINT ["python", "-m", "tests.conformance"]

FROM python AS service
ARG MODEL
COPY --from=extras /extras /app/packages
COPY --from=code /models/${MODEL} /app
ENV SWEETSPOT_MODEL=${MODEL}
LABEL dev.sweetspot.model="${MODEL}"
EXPOSE 50051 50052 9464
ENTRYPOINT ["python", "-m", "services"]
