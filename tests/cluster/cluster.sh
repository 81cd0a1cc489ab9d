#!/usr/bin/env bash
# Several nodes on PostgreSQL with failover: etcd, Patroni with a synchronous standby, HAProxy, Keyward, all on loopback.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cargo build --workspace --example linearizable --quiet
exec ../../target/venv/bin/python -B -m pytest -p no:cacheprovider -q --tb=short --durations=8 test_cluster.py "$@"
