#!/usr/bin/env bash
# Fuzzes the loader and the loop for so many seconds (60 by default): scripts/fuzz.sh SECONDS
# What it finds stays in build/fuzz; a crash is a file crash-… there and an exit status that is not 0.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
case $seconds in
  '' | *[!0-9]*)
    echo 'usage: scripts/fuzz.sh SECONDS' >&2
    exit 2
    ;;
esac

compiler=${CXX:-clang++-19}
if ! command -v "$compiler" >/dev/null; then
  echo "fuzz: $compiler is missing; on Debian: apt-get install clang-19 libclang-rt-19-dev" >&2
  exit 1
fi

folder=build/fuzz
mkdir -p "$folder/found"
# test/fuzz/harmless comes first: its loop/syscall.h takes the place of the real one.
"$compiler" -std=c++20 -g -O1 -fno-exceptions -fno-rtti -Wall -Wextra -Werror \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
  -Itest/fuzz/harmless -Isrc-native \
  test/fuzz/load.cc src-native/loop/load.cc src-native/loop/loop.cc -o "$folder/load"

# New inputs go to the first folder; the committed corpus is only read.
exec "$folder/load" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=20000 \
  -print_final_stats=1 -artifact_prefix="$folder/" "$folder/found" test/fuzz/corpus
