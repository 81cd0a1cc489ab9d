#!/usr/bin/env bash
# Every Rust test of the workspace, with whatever KEYWARD_TEST_POSTGRES points to. `make test` calls it inside
# tests/postgres.sh; by itself it leaves PostgreSQL out, and the tests say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The same targets as the build step, so that nothing is compiled twice.
targets=(--workspace --lib --bins --tests)
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --config-file tests/nextest.toml "${targets[@]}" "$@"
else
    cargo test "${targets[@]}" --no-fail-fast "$@"
fi
