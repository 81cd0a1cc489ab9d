#!/usr/bin/env bash
# Installs what the tests need and the machine lacks: server programs and a browser from Debian's packages, Python
# packages into target/venv, the public clients into tests/real/node_modules, a tool of Cargo into target/tools. What is
# there already is left alone, so the second run takes no time and needs no network.
#
#   tests/setup.sh            everything
#   tests/setup.sh PART…      of: postgres cluster chromium python node machete
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

has_postgres() {
    find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | grep -q . ||
        command -v initdb >/dev/null
}

wanted() {
    local part
    for part in "${parts[@]}"; do
        [ "$part" = "$1" ] && return 0
    done
    return 1
}

# One apt-get update and one install for all that is missing.
debian() {
    local missing=() root=()
    if wanted postgres && ! has_postgres; then missing+=(postgresql); fi
    if wanted cluster; then
        # Debian's names of the package and of a program in it.
        local pair
        for pair in patroni:patroni etcd-server:etcd haproxy:haproxy; do
            PATH=$PATH:/usr/sbin command -v "${pair#*:}" >/dev/null || missing+=("${pair%:*}")
        done
        compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
        /usr/bin/python3 -c 'import psycopg2' 2>/dev/null || missing+=(python3-psycopg2)
    fi
    if wanted chromium && ! command -v chromium >/dev/null; then missing+=(chromium); fi
    if wanted python && ! command -v python3 >/dev/null; then missing+=(python3 python3-venv); fi
    if wanted node && ! command -v npm >/dev/null; then missing+=(nodejs npm); fi
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "missing, and there is no apt-get: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "missing, and we are not root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    echo "setup: Debian packages: ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    if wanted postgres && ! has_postgres; then fail "postgresql was installed, and there is still no initdb"; fi
}

python() {
    local pinned=tests/real/requirements.txt
    if cmp -s "$pinned" target/venv/installed.txt; then
        return 0
    fi
    echo "setup: Python packages of $pinned"
    rm -rf target/venv
    mkdir -p target
    python3 -m venv target/venv
    target/venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement "$pinned"
    target/venv/bin/pip check --disable-pip-version-check
    cp "$pinned" target/venv/installed.txt
}

node() (
    cd tests/real
    # npm leaves a copy of the lock file's content when, and only when, it has installed all of it.
    if [ node_modules/.package-lock.json -nt package-lock.json ]; then
        return 0
    fi
    echo "setup: npm packages of tests/real/package-lock.json"
    npm ci --silent --omit-lockfile-registry-resolved=true
    touch node_modules/.package-lock.json
)

# Finds unused dependencies. Unoptimised it is built in a third of the time and still needs only seconds to run.
machete() {
    local version=0.9.2
    if [ "$(target/tools/bin/cargo-machete --version 2>/dev/null)" = "$version" ]; then
        return 0
    fi
    echo "setup: cargo-machete $version"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=target/tools/build \
        cargo install --quiet --locked --debug --root target/tools --version "=$version" cargo-machete
    rm -rf target/tools/build
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(postgres cluster chromium python node machete)
for part in "${parts[@]}"; do
    case $part in
    postgres | cluster | chromium | python | node | machete) ;;
    *) fail "no such part: $part" ;;
    esac
done
debian
if wanted python; then python; fi
if wanted node; then node; fi
if wanted machete; then machete; fi
