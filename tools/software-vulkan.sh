#!/usr/bin/env bash
# Prepares a software Vulkan driver that has fp16 in .cache/vulkan, without root: lavapipe of Mesa 25, from Debian
# trixie, with all that it needs, libc included, so that it runs on older releases too. Takes a Debian machine with its
# own mirror. .cache/vulkan/node is this machine's node on top of it, where the WebGPU provider finds a device on any
# CPU.
set -euo pipefail

folder=$(cd "$(dirname "$0")/.." && pwd)/.cache/vulkan
[[ -x $folder/node ]] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of its own, which knows trixie alone and nothing as installed.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Release: $codename" |
  head -n 1)
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,root}
touch "$work/status"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] ${mirror:?no Debian mirror in the apt sources of this machine} trixie main" \
  >"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
END
export APT_CONFIG=$work/apt.conf
apt-get -q update
apt-get -q -y --download-only install mesa-vulkan-drivers libvulkan1
for package in "$work"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$work/root"; done

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
