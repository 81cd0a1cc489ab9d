#!/usr/bin/env bash
# The gate: every step, cheap ones first, each with its time; all of them run even when an early one fails, so that one
# run tells everything. It passes only if every step passed, and no step is left out silently.
#
#   tests/gate.sh             all steps
#   tests/gate.sh NAME…       only these, by the names that a run prints
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

export CARGO_TERM_COLOR=never
# Incremental files cost a fresh clone more than they give back.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi

passed=0 failed=0 skipped=0
summary=()
chosen=("$@")

selected() {
    [ ${#chosen[@]} -gt 0 ] || return 0
    local name
    for name in "${chosen[@]}"; do
        [ "$name" != "$1" ] || return 0
    done
    return 1
}

note() {
    summary+=("$(printf '%-8s %-10s %4ss' "$1" "$2" "$3")")
    echo "== $2: $1 (${3}s)"
}

# step NAME MINUTES COMMAND…
step() {
    local name=$1 minutes=$2 start=$SECONDS
    shift 2
    selected "$name" || return 0
    echo "== $name: $*"
    # A step must not outlive its time, nor wait for somebody at a keyboard.
    if timeout --kill-after=20 "${minutes}m" "$@" </dev/null; then
        passed=$((passed + 1))
        note ok "$name" $((SECONDS - start))
        return 0
    fi
    failed=$((failed + 1))
    note FAILED "$name" $((SECONDS - start))
    return 1
}

# A step that makes no sense after another failed, which is itself counted as failed.
skip() {
    selected "$1" || return 0
    skipped=$((skipped + 1))
    note SKIPPED "$1" 0
}

step format 2 cargo fmt --all --check
step tidy 5 cargo run --quiet --package xtask -- tidy
step clippy 40 cargo clippy --workspace --all-targets --quiet -- --deny warnings
if step setup 15 tests/setup.sh; then
    installed=1
    step unused 5 target/tools/bin/cargo-machete
    step spelling 2 target/venv/bin/typos
else
    for name in unused spelling; do skip "$name"; done
fi
if step build 40 cargo build --workspace --lib --bins --tests --quiet; then
    built=1
    # Their log says how many tests ran; a run of none is a failure of nextest's own.
    step tests 40 tests/postgres.sh run tests/rust.sh
    step examples 20 cargo test --workspace --doc --quiet
else
    built=
    for name in tests examples; do skip "$name"; done
fi
step rustdoc 20 env RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --document-private-items --quiet
step licences 5 cargo run --quiet --package xtask -- licences
if [ -n "$built" ] && [ -n "${installed:-}" ] || [ ${#chosen[@]} -gt 0 ]; then
    step clients 10 tests/real/clients.sh
    step delivery 15 tests/real/delivery.sh
    step enceeper 10 tests/real/enceeper.sh
    step profile 10 tests/real/profile.sh
    step cluster 8 tests/cluster/cluster.sh
    step fuzzing 10 tests/real/schemathesis.sh
    step generated 2 tests/generated.sh
else
    for name in clients delivery enceeper profile cluster fuzzing generated; do skip "$name"; done
fi

echo
printf '%s\n' "${summary[@]}"
if [ $((passed + failed + skipped)) -lt ${#chosen[@]} ]; then
    echo "gate.sh: there is no such step among: ${chosen[*]}" >&2
    failed=$((failed + 1))
fi
# The plain line counts steps, not single tests; those have their own lines above.
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
