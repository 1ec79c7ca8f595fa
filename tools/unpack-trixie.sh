#!/usr/bin/env bash
# Unpacks packages of Debian trixie into a folder without root, with all that they need: unpack-trixie.sh FOLDER PACKAGE…
# Takes a Debian machine with its own mirror.
set -euo pipefail

folder=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of its own, which knows trixie alone and nothing as installed.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Release: $codename" |
  head -n 1)
mkdir -p "$work"/{state/lists/partial,cache/archives/partial} "$folder"
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
apt-get -q -y --download-only install "$@"
for package in "$work"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$folder"; done
