#!/usr/bin/env bash
# Unpacks Debian's libonnxruntime-dev into a folder without root: unpack-debian-headers.sh FOLDER
# The package is taken from the machine's own mirror, from a suite that has ONNX Runtime 1.21 or later.
set -euo pipefail

folder=$1
mkdir -p "$folder/lists/partial" "$folder/archives/partial"
mirror=$(grep -hoE '(^URIs: *|^deb .*)https?://[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  grep -oE 'https?://[^ ]+/debian/?$' | head -n 1) || true
[[ -n $mirror ]] || { echo "no Debian mirror in /etc/apt" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# sid first, then the first stable suite that has the package
for suite in sid trixie; do
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$folder/sources.list"
  apt=(apt-get -q -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o "Dir::Cache::archives=$folder/archives"
    -o APT::Sandbox::User=root -o Acquire::Languages=none)
  if "${apt[@]}" update >&2 && (cd "$folder" && "${apt[@]}" download libonnxruntime-dev >&2); then
    dpkg -x "$folder"/libonnxruntime-dev_*.deb "$folder"
    rm -rf "$folder"/*.deb "$folder/lists" "$folder/archives" "$folder"/*.bin
    exit 0
  fi
done
echo "libonnxruntime-dev is in neither sid nor trixie of $mirror" >&2
exit 1
