# deploy with everything that it can use: TensorFlow, the quantizer, charts, Dask, QEMU, and a compiler for firmware.
# Arm's FVP is not in it and cannot be: fvp/Dockerfile makes an image of your own download.
#
#   docker build -t deploy .
#   docker run --rm -v "$PWD:/work" -u "$(id -u):$(id -g)" deploy check model.tflite --npu U55-128
FROM python:3.12-slim-bookworm AS build

# The NPU model's core is compiled here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && sed -e '/--hash/d' -e 's/ *\\$//' locks/python-3.12.txt > /wheels/constraints.txt

FROM python:3.12-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        cmake gcc-arm-none-eabi libnewlib-arm-none-eabi make qemu-system-arm \
    && rm -rf /var/lib/apt/lists/*
# What is installed is what the lock file names, which the tests run with.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    wheel=$(ls /wheels/*.whl) \
    && pip install --no-cache-dir --constraint /wheels/constraints.txt \
        "${wheel}[tensorflow,quantizer,charts,dask]" \
    && deploy --version

# Any user may run it: what has no home keeps its cache here.
ENV HOME=/tmp
USER 65534:65534
WORKDIR /work
ENTRYPOINT ["deploy"]
CMD ["--help"]
