#!/usr/bin/env bash
# Compiles the CUDA kernels: tools/cuda-kernels.sh [--check]
# native/kernels/cuda/kernels.fatbin is what the addon embeds: machine code for compute capability 8.0, 9.0 and 12.0, and
# PTX that the driver compiles for others from 8.0 on. kernels.txt beside it says what it was made of, and ptxas' count of
# registers and spills. --check compiles anew and fails where the result differs in a byte.
# The compiler is that of NVIDIA's Python packages (python3 and pip; 105 MB, kept in .cache/nvcc), whose version decides
# the bytes. NVCC names another.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  '' | --check) ;;
  *) sed -n 's/^# //; 2p' "$0" >&2; exit 2 ;;
esac
folder=native/kernels/cuda
packages=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85)

if [[ -z ${NVCC:-} ]]; then
  cache=$PWD/.cache/nvcc
  NVCC=$cache/nvidia/cu13/bin/nvcc
  if [[ ! -x $NVCC ]]; then
    python3 -m pip install --quiet --no-deps --target "$cache" "${packages[@]}"
    chmod +x "$NVCC"
  fi
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$NVCC" -std=c++17 -O3 --expt-relaxed-constexpr -I native -fatbin -Xptxas -v --compress-mode=size \
  -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_120,code=sm_120 \
  -gencode arch=compute_80,code=compute_80 -o "$out/kernels.fatbin" "$folder/kernels.cu" 2>"$out/ptxas"
{
  echo "# Written by tools/cuda-kernels.sh."
  "$NVCC" --version | sed -n 's/.*\(release.*\)/nvcc \1/p'
  (cd "$out" && sha256sum kernels.fatbin)
  for source in kernels.cu machine.h device.h arguments.h attention.h gated_units.h head.h rotate_heads.h; do
    (cd "$folder" && sha256sum "$source")
  done
  echo
  echo "# registers of a thread, bytes spilt (stores, loads), by compute capability"
  sed -nE "s/.*Compiling entry function '(.*)' for 'sm_(.*)'/\1 \2/p; s/.* ([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads/\1 \2/p;
    s/.*Used ([0-9]+) registers.*/\1/p" "$out/ptxas" |
    awk '{ name = $1; capability = $2; getline; spills = $1 " " $2; getline
           printf "%-20s %-4s %3d  %s\n", name, capability, $1, spills }' | sort -k1,1 -k2,2V
} >"$out/kernels.txt"

if [[ ${1:-} == --check ]]; then
  cmp "$out/kernels.fatbin" "$folder/kernels.fatbin" && diff "$folder/kernels.txt" "$out/kernels.txt"
else
  cp "$out/kernels.fatbin" "$out/kernels.txt" "$folder/"
fi
