#!/bin/sh
# Remove from a virtual environment what a running service never reads: slim.sh FOLDER
set -eu
cd "$1"/lib/python3.*/site-packages

find . -type d \( -name tests -o -name SelfTest \) -prune -exec rm -rf {} +
find . -name '*.pyi' -delete
rm -rf cv2/data numpy/_core/lib numpy/_core/include
if [ -d torch ]; then
    rm -rf torch/include torch/share torch/test torch/lib/*_test.so
    find torch/bin -type f ! -name torch_shm_manager -delete
fi
# Symbols; what lies in *.libs was made by tools that strip breaks.
find . -name '*.so' ! -path '*.libs/*' -type f -exec strip --strip-unneeded {} +
