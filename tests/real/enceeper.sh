#!/usr/bin/env bash
# The Enceeper surface: an independent client's whole walk, the pages and a page from another origin in Chromium.
# KEYWARD_PICTURES names a folder to keep the pictures of the pages in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec ../../target/venv/bin/python -B -m pytest -p no:cacheprovider -q --tb=short --durations=5 test_enceeper.py "$@"
