#!/bin/sh
# Builds dist/valetkey-VERSION-TARGET.tar.gz: both programs, the user units, README and licences; prints its path.
#
# VALETKEY_BINDIR: where the unit finds the daemon, if that is not ~/.local/bin. VALETKEY_DIST: where the tarball goes.
#
# To install: tar -xzf valetkey-*.tar.gz && cp -R valetkey-*/bin valetkey-*/share ~/.local/
# (`share/systemd/user` is searched by systemd below ~/.local as below /usr/local.)
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
target=$(rustc -vV | sed -n 's/^host: //p')
bindir=${VALETKEY_BINDIR:-%h/.local/bin}
dist=${VALETKEY_DIST:-$PWD/dist}
name=valetkey-$version-$target

cargo build --release --quiet --locked --bin valetkey >&2
helper=$(packaging/helper.sh)

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
root=$staging/$name
units=$root/share/systemd/user
mkdir -p "$root/bin" "$units" "$dist"
install -m 755 "${CARGO_TARGET_DIR:-target}/release/valetkey" "$helper" "$root/bin/"
install -m 644 README.md LICENSE-MIT LICENSE-APACHE "$root/"
install -m 644 systemd/valetkey.socket "$units/"
sed "s|^ExecStart=[^ ]*|ExecStart=$bindir/valetkey|" systemd/valetkey.service >"$units/valetkey.service"
chmod 644 "$units/valetkey.service"

tar --owner=0 --group=0 --numeric-owner --sort=name -C "$staging" -czf "$dist/$name.tar.gz" "$name"
echo "$dist/$name.tar.gz"
