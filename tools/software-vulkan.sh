#!/usr/bin/env bash
# Unpacks a software Vulkan driver (SwiftShader, from Debian's chromium-common) and the loader into .cache/vulkan, without
# root, so that the WebGPU provider runs on any CPU: tools/software-vulkan.sh
# Prints what to set before node: eval "$(tools/software-vulkan.sh)"
set -euo pipefail

folder=$(cd "$(dirname "$0")/.." && pwd)/.cache/vulkan
if [[ ! -e $folder/libvk_swiftshader.so ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/root"
  (cd "$work" && apt-get -q -o APT::Sandbox::User=root download chromium-common libvulkan1) >&2
  for package in "$work"/*.deb; do
    dpkg --fsys-tarfile "$package" | tar -x -C "$work/root" --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json' \
      '*/libvulkan.so.1*' 2>/dev/null || true
  done
  mkdir -p "$folder"
  find "$work/root" \( -type f -o -type l \) -exec cp -P {} "$folder/" \;
fi
driver=$folder/vk_swiftshader_icd.json
echo "export VK_DRIVER_FILES='$driver' VK_ICD_FILENAMES='$driver' LD_LIBRARY_PATH='$folder'"
