#!/bin/sh
# Builds the helper as it is packaged, static, and prints where it is.
#
# It runs inside every SDK of every worker, and a dynamic program spends most of its life in the loader. Static with musl
# where that target is installed; else with glibc, which is as fast. What glibc warns about in static programs, NSS and
# iconv, the helper does not use: no name of a user or a host is looked up in it.
set -eu
cd "$(dirname "$0")/.."

machine=$(uname -m)
triple=$machine-unknown-linux-musl
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple/lib" ]; then
    triple=$machine-unknown-linux-gnu
fi
# Not for the main profile: there a panic must not end the daemon. The helper has nothing to unwind to.
export RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static"
cargo build --release --quiet --locked --no-default-features --bin valetkey-credential-process --target "$triple" \
    --config 'profile.release.panic="abort"' >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/$triple/release/valetkey-credential-process"
