#!/usr/bin/env bash
# What takes too long for every change: cargo-deny itself, every property with many more cases, and a long hunt with
# generated requests. What cannot be looked at from here is said loudly at the end, never passed over.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

deny_version=0.20.2
tools=$PWD/target/tools
skipped=()
failed=()

try() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

install_deny() {
    if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
        cargo install cargo-deny --version "$deny_version" --locked --quiet --root "$tools"
    fi
}

# The database of advisories is fetched from a git host, which a closed network does not reach.
advisories() {
    local log
    log=$(mktemp)
    if "$tools/bin/cargo-deny" --all-features check advisories >"$log" 2>&1; then
        cat "$log"
    elif grep -qE 'failed to (fetch|clone|open|load) advisory database|unable to fetch' "$log"; then
        cat "$log"
        skipped+=("advisories: the database could not be fetched, so NOTHING was looked up")
    else
        cat "$log"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

try setup tests/setup.sh
try cargo-deny install_deny
try licences "$tools/bin/cargo-deny" --all-features check licenses bans sources
try advisories advisories
try build cargo build --workspace --lib --bins --tests --quiet
try properties tests/postgres.sh run env PROPTEST_CASES=5000 tests/rust.sh
try executable tests/postgres.sh run env KEYWARD_PROOF=long cargo test --quiet --package keyward --test proof
# Compares the times of a name with an account and of one without: on a quiet machine.
try timing cargo test --quiet --package enceeper --test wire -- --ignored --nocapture stopwatch
try fuzzing env KEYWARD_FUZZ_SECONDS=600 tests/real/schemathesis.sh
try judge cargo build --workspace --example linearizable --quiet
try cluster target/venv/bin/python -B tests/cluster/proof.py

echo
for what in ${skipped[@]+"${skipped[@]}"}; do
    echo "######## SKIPPED: $what ########"
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "proof: FAILED: ${failed[*]}"
    exit 1
fi
echo "proof: all that could be looked at is sound, ${#skipped[@]} skipped"
