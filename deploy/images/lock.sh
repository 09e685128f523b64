#!/usr/bin/env bash
# Write the files *.lock: every package of the images with its version (of constraints.txt) and the hashes of its files.
# Usage: lock.sh UV, where UV is the program `uv`. TORCH_LINKS names a folder with PyTorch's CPU build, where its own
# index cannot be reached.
set -euo pipefail
cd "$(dirname "$0")"
uv=$1

lock() { # NAME ARGUMENTS...: compile into NAME.lock
  "$uv" pip compile --quiet --generate-hashes --no-annotate --no-header --no-emit-package torch \
    --python-version 3.11 --python-platform x86_64-unknown-linux-gnu --constraint ../../constraints.txt \
    --output-file "$1.lock" "${@:2}"
}

lock gateway gateway.in
# With the CPU build in sight, PyTorch's CUDA packages stay out.
if [ -n "${TORCH_LINKS:-}" ]; then from=(--find-links "$TORCH_LINKS"); else from=(--torch-backend cpu); fi
lock worker "${from[@]}" --extra export --extra tracing ../../pyproject.toml
lock build build.in
lock page page.in
# PyTorch alone: the CPU build's hashes are written by hand into torch-cpu.lock, since its index is none of PyPI's.
"$uv" pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 \
  --python-platform x86_64-unknown-linux-gnu --constraint ../../constraints.txt --output-file torch-cuda.lock torch.in
