#!/usr/bin/env bash
# Messages on their way out, against a real SMTP server and doubles of the HTTP providers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec ../../target/venv/bin/python -B -m pytest -p no:cacheprovider -q --tb=short -W ignore::UserWarning --durations=5 test_doubles.py test_delivery.py "$@"
