#!/usr/bin/env bash
# Runs the C++ tests under sanitizers: tools/sanitize.sh address|thread [build]
# address is AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer; thread is ThreadSanitizer. Fails on a
# finding in zrank. tools/sanitizers has what is suppressed: libonnxruntime alone, which is not built with sanitizers.
# Takes the node_modules of `npm ci`. With `build` it only builds them.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  address) sanitizers=address,undefined ;;
  thread) sanitizers=thread ;;
  *) sed -n 's/^# //; 2p' "$0" >&2; exit 2 ;;
esac
folder=build/sanitize-$1
# -O1, as the sanitizers' manuals say: the kernels compile in a fifth of the time.
cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" \
  -DZRANK_SANITIZE="$sanitizers" >/dev/null
cmake --build "$folder" --target zrank_core_test --parallel "$(nproc)"
if [ "${2:-}" = build ]; then exit; fi

suppressions=$PWD/tools/sanitizers
export LSAN_OPTIONS="suppressions=$suppressions/leak.txt:print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1"
export TSAN_OPTIONS="suppressions=$suppressions/thread.txt:halt_on_error=0:second_deadlock_stack=1"
ZRANK_ONNXRUNTIME=$(node --input-type=module --eval '
  import { findOnnxRuntime } from "./dist/libraries/onnxruntime.js";
  process.stdout.write(findOnnxRuntime());')
export ZRANK_ONNXRUNTIME
# Without a random layout of addresses, which GCC's ThreadSanitizer does not know on newer kernels.
setarch --addr-no-randomize "$folder/zrank_core_test"
