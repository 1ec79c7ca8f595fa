#!/usr/bin/env bash
# Prepares a software Vulkan driver that has fp16 in .cache/vulkan, without root: lavapipe of Mesa 25, from Debian
# trixie, with all that it needs, libc included, so that it runs on older releases too. Takes a Debian machine with its
# own mirror. .cache/vulkan/node is this machine's node on top of it, where the WebGPU provider finds a device on any
# CPU.
set -euo pipefail

tools=$(cd "$(dirname "$0")" && pwd)
folder=$(dirname "$tools")/.cache/vulkan
[[ -x $folder/node ]] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tools/unpack-trixie.sh" "$work/root" mesa-vulkan-drivers libvulkan1

rm -rf "$folder"
mkdir -p "$folder"
mv "$work/root/usr" "$folder/usr"
# To node its executable is the loader; the processes that it starts from process.execPath go the same way as it did.
echo "process.execPath = __dirname + '/node';" >"$folder/exec-path.cjs"
cat >"$folder/node" <<'END'
#!/bin/sh
# Runs node with lavapipe as the only Vulkan driver, and with the libc that lavapipe is built for.
folder=$(dirname "$(realpath "$0")")
usr=$folder/usr
export VK_DRIVER_FILES="$usr/share/vulkan/icd.d/lvp_icd.json"
export VK_ICD_FILENAMES="$VK_DRIVER_FILES"
lib=$(echo "$usr"/lib/*-linux-gnu)
exec "$lib"/ld-linux-*.so.* --library-path "$lib" "$(node -p process.execPath)" --require "$folder/exec-path.cjs" "$@"
END
chmod +x "$folder/node"
