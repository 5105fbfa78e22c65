#!/usr/bin/env bash
# Makes the Debian package of a published 'qed': build/deb.sh amd64|arm64 EXECUTABLE OUT.deb [QED]
# EXECUTABLE is the one to pack; QED one that runs here and prints manual page and completions (EXECUTABLE itself if not given).
# The same bytes for the same inputs: times are SOURCE_DATE_EPOCH, or the last commit's.
set -euo pipefail

[ $# -ge 3 ] || { echo "usage: build/deb.sh amd64|arm64 EXECUTABLE OUT.deb [QED]" >&2; exit 2; }
architecture=$1 executable=$2 output=$3 qed=${4:-$2}
project=$(cd "$(dirname "$0")/.." && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$project" log -1 --format=%ct)}
version=$(sed -n 's|.*<VersionPrefix>\(.*\)</VersionPrefix>.*|\1|p' "$project/Directory.Build.props")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"

put() { mkdir -p "$root/$(dirname "$1")"; cat > "$root/$1"; }

mkdir -p "$root/usr/bin"
install -m 755 "$executable" "$root/usr/bin/qed"
"$qed" man | gzip -9n | put usr/share/man/man1/qed.1.gz
"$qed" completion bash | put usr/share/bash-completion/completions/qed
"$qed" completion zsh | put usr/share/zsh/vendor-completions/_qed
"$qed" completion fish | put usr/share/fish/vendor_completions.d/qed.fish
date=$(date -u -R -d "@$SOURCE_DATE_EPOCH")
gzip -9n <<END | put usr/share/doc/qed/changelog.gz
qed ($version) unstable; urgency=medium

  * See CHANGELOG.md of the project.

 -- QedEdge contributors <qededge@example.org>  $date
END
{ printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: QedEdge\n\nFiles: *\nCopyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' "$project/LICENSE")"
  sed -n '/^Permission is/,$p' "$project/LICENSE" | sed 's/^$/./; s/^/ /'; } | put usr/share/doc/qed/copyright
size=$(du -k -s --apparent-size "$root" | cut -f1)
put DEBIAN/control <<END
Package: qed
Version: $version
Architecture: $architecture
Maintainer: QedEdge contributors <qededge@example.org>
Installed-Size: $size
Section: science
Priority: optional
Description: runs a small language model on a small machine
 QedEdge runs QED-75M and every checkpoint of its family from one quantized,
 memory-mapped file: text generation, chat, scoring, choosing between texts,
 batches. A sample model is built in. Results are the same bits on every
 processor.
END
(cd "$root" && find usr -type f -printf '%P\0' | LC_ALL=C sort -z | sed -z 's|^|usr/|' | xargs -0 md5sum > DEBIAN/md5sums)
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$output" >/dev/null
