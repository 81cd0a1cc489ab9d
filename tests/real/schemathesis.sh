#!/usr/bin/env bash
# Generated requests from the OpenAPI description that the server itself serves: no input may make it answer with a fault,
# with a status or a body that it does not document, or with a type of content of its framework's.
#
# KEYWARD_FUZZ_SECONDS bounds each of the eleven hunts (default 20): on each surface without credentials, and with them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec ../../target/venv/bin/python -B fuzzing.py "$@"
