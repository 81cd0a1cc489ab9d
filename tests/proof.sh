#!/usr/bin/env bash
# What takes too long for every change: cargo-deny itself, every property with many more cases, a long hunt with generated
# requests, and the long forms of what is promised of several nodes. Each part has its time, which it must not outlive; all
# of them run even when an early one fails. What cannot be looked at from here is said loudly at the end, never passed over.
#
#   tests/proof.sh             all parts: some seventy minutes on two cores, and a quarter of an hour more for what a fresh clone builds
#   tests/proof.sh PART…       only these, by the names that a run prints; `cluster` names all parts of the cluster
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

deny_version=0.20.2
tools=$PWD/target/tools
python=target/venv/bin/python
times=target/proof/times.txt
chosen=("$@")
left_out=() summary=()
passed=0 failed=0
group='' child=''
# What a part answers with that could not look.
unable=75

for name in ${chosen[@]+"${chosen[@]}"}; do
    if [ "$name" != cluster ] && ! grep -qE "^part $name [0-9]+ " tests/proof.sh; then
        echo "proof.sh: there is no such part: $name" >&2
        exit 2
    fi
done

# Whoever stops this stops the part that runs, too, and waits until that has cleaned up.
stop() {
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null
        wait "$child"
    fi
    echo "proof: stopped" >&2
    exit 130
}
trap stop INT TERM HUP

selected() {
    [ ${#chosen[@]} -gt 0 ] || return 0
    local name
    for name in "${chosen[@]}"; do
        [ "$name" != "$1" ] && [ "$name" != "$group" ] || return 0
    done
    return 1
}

# part NAME MINUTES COMMAND…
part() {
    local name=$1 minutes=$2 start=$SECONDS verdict line
    shift 2
    selected "$name" || return 0
    echo "== $name: $*"
    timeout --kill-after=60 "${minutes}m" "$@" </dev/null &
    child=$!
    wait "$child"
    case $? in
    0) verdict=ok passed=$((passed + 1)) ;;
    "$unable") verdict=SKIPPED left_out+=("$name") ;;
    *) verdict=FAILED failed=$((failed + 1)) ;;
    esac
    child=''
    line=$(printf '%-8s %-14s %5ss of at most %5ss' "$verdict" "$name" $((SECONDS - start)) $((minutes * 60)))
    summary+=("$line")
    echo "$(date -u +'%F %R') $line" >>"$times"
    echo "== $line"
}

install_deny() {
    if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
        cargo install cargo-deny --version "$deny_version" --locked --quiet --root "$tools"
    fi
}

# The database of advisories is fetched from a git host, which a closed network does not reach.
advisories() {
    local log
    log=$("$tools/bin/cargo-deny" --all-features check advisories 2>&1) && found=0 || found=$?
    echo "$log"
    if grep -qE 'failed to (fetch|clone|open|load) advisory database|unable to fetch' <<<"$log"; then
        return "$unable"
    fi
    return "$found"
}

# `timeout` starts programs, not functions.
export tools deny_version unable
export -f install_deny advisories

mkdir -p target/proof

# What the chosen parts stand on.
for name in ${chosen[@]+"${chosen[@]}"}; do
    case $name in
    setup | build | cargo-deny) ;;
    licences | advisories) chosen+=(cargo-deny) ;;
    linearizable) chosen+=(setup build judge) ;;
    *) chosen+=(setup build) ;;
    esac
done

part setup 20 tests/setup.sh
part cargo-deny 25 bash -c install_deny
part licences 5 "$tools/bin/cargo-deny" --all-features check licenses bans sources
part advisories 5 bash -c advisories
part build 40 cargo build --workspace --lib --bins --tests --quiet
# Where properties are; one of them takes most of the time.
part properties 20 tests/postgres.sh run env PROPTEST_CASES=5000 cargo test --quiet --workspace --lib --test domain
part executable 25 tests/postgres.sh run env KEYWARD_PROOF=long cargo test --quiet --workspace --test proof
# Compares the times of a name with an account and of one without: on a quiet machine.
part timing 10 cargo test --quiet --workspace --test wire -- --ignored --nocapture stopwatch
# Eleven hunts.
part fuzzing 30 env KEYWARD_FUZZ_SECONDS=90 tests/real/schemathesis.sh

group=cluster
part judge 20 cargo build --workspace --example linearizable --quiet
part before 30 "$python" -B tests/cluster/upgrade.py
part brute_force 8 "$python" -B tests/cluster/proof.py brute_force
part single_use 20 "$python" -B tests/cluster/proof.py single_use
part torture 10 "$python" -B tests/cluster/proof.py torture
part rolling 25 "$python" -B tests/cluster/proof.py rolling
part restores 25 "$python" -B tests/cluster/proof.py restores
part promotions 50 "$python" -B tests/cluster/proof.py promotions
part linearizable 50 "$python" -B tests/cluster/proof.py linearizable
part outage 20 "$python" -B tests/cluster/proof.py outage
part clocks 5 "$python" -B tests/cluster/proof.py clocks
group=''

echo
printf '%s\n' ${summary[@]+"${summary[@]}"}
for what in ${left_out[@]+"${left_out[@]}"}; do
    echo "######## SKIPPED: $what: NOTHING was looked up ########"
done
echo "$passed passed, $failed failed, ${#left_out[@]} skipped, in $((SECONDS / 60)) min"
[ "$failed" -eq 0 ]
