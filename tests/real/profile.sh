#!/usr/bin/env bash
# Accounts end to end: codes read from a real SMTP server's mailbox and a text provider, the example front end in Chromium.
# KEYWARD_PICTURES names a folder to keep the pictures of the pages in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec ../../target/venv/bin/python -B -m pytest -p no:cacheprovider -q --tb=short -W ignore::UserWarning --durations=5 test_profile.py "$@"
