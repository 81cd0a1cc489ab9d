#!/usr/bin/env bash
# The public clients, as published, against the built server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec node --no-warnings --test --test-concurrency=1 --test-timeout=120000 --test-reporter=spec ./*.test.mjs
