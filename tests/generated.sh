#!/usr/bin/env bash
# Files that the program writes and we keep: each must be what the built program writes today.
#
#   tests/generated.sh            compare
#   tests/generated.sh --write    write them anew
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
keyward=${KEYWARD_BIN:-target/debug/keyward}

# File, and the arguments that make keyward print it.
generated='
keyward.toml.example        config-example
docs/openapi/photon.json    openapi photon
docs/openapi/enceeper.json  openapi enceeper
docs/openapi/duo.json       openapi duo
docs/openapi/cis.json       openapi cis
docs/openapi/profile.json   openapi profile
docs/openapi/admin.json     openapi admin
'

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
stale=0
while read -r file arguments; do
    [ -n "$file" ] || continue
    # shellcheck disable=SC2086 # the arguments are words
    if ! "$keyward" $arguments >"$fresh"; then
        echo "generated: $keyward $arguments failed" >&2
        stale=1
    elif [ "${1:-}" = --write ]; then
        mkdir -p "$(dirname "$file")"
        cp "$fresh" "$file"
    elif ! diff -u --label "$file (kept)" --label "$file (generated)" "$file" "$fresh" >&2; then
        echo "generated: $file is not what '$keyward $arguments' writes: run tests/generated.sh --write" >&2
        stale=1
    fi
done <<<"$generated"
exit $stale
