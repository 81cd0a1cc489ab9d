#!/usr/bin/env bash
# A private PostgreSQL server for tests: in a folder of its own, on a free loopback port, gone afterwards.
#
#   tests/postgres.sh run COMMAND…    start, run COMMAND with KEYWARD_TEST_POSTGRES set, stop
#   tests/postgres.sh start FOLDER    start in a new folder and print KEYWARD_TEST_POSTGRES=postgres://…
#   tests/postgres.sh stop FOLDER     stop it and remove the folder
#   tests/postgres.sh halt FOLDER     stop it as a crash would, and keep the folder
#   tests/postgres.sh resume FOLDER   start it again on the same port
#
# It commits as durably as a real one, since what is tested is what survives.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "postgres.sh: $*" >&2
    exit 1
}

# The folder with the server's programs: Debian keeps them outside PATH.
programs() {
    local found
    found=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ] || fail "no initdb, neither under /usr/lib/postgresql nor in PATH (tests/setup.sh installs it)"
    found=$(dirname "$(readlink -f "$found")")
    [ -x "$found/pg_ctl" ] && [ -x "$found/postgres" ] || fail "$found has initdb, but not pg_ctl and postgres"
    echo "$found"
}

# PostgreSQL refuses to run as root, so root hands the folder to somebody lesser.
owner() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# Runs a command as the owner, in the folder, with nothing of our environment that could lead it elsewhere.
as_owner() {
    local folder=$1
    shift
    local plain=(env -i PATH="$PATH" HOME="$folder" LC_ALL=C)
    cd "$folder"
    if [ "$(id -u)" -ne 0 ]; then
        "${plain[@]}" "$@"
    elif command -v setpriv >/dev/null; then
        local user
        user=$(owner)
        "${plain[@]}" setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
    else
        su "$(owner)" -s /bin/sh -c "$(printf '%q ' "${plain[@]}" "$@")"
    fi
}

free_port() {
    python3 -B "$here/ports.py"
}

start() (
    folder=$1
    bin=$(programs)
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    chmod 700 "$folder"
    [ "$(id -u)" -ne 0 ] || chown "$(owner)" "$folder"
    password=$(head -c 18 /dev/urandom | base64 | tr '+/' 'ab')
    printf '%s\n' "$password" >"$folder/password"
    [ "$(id -u)" -ne 0 ] || chown "$(owner)" "$folder/password"
    as_owner "$folder" "$bin/initdb" --pgdata="$folder/data" --username=keyward --pwfile="$folder/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 ||
        { cat "$folder/initdb.log" >&2; fail "initdb failed"; }
    cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
fsync = on
synchronous_commit = on
full_page_writes = on
logging_collector = off
CONF
    # Somebody else may take the port between the look and the start.
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        if as_owner "$folder" "$bin/pg_ctl" start --pgdata="$folder/data" --wait --timeout=60 --silent \
            --log="$folder/postgres.log" --options="-p $port" >"$folder/start.log" 2>&1; then
            echo "$port" >"$folder/port"
            echo "KEYWARD_TEST_POSTGRES=postgres://keyward:$password@127.0.0.1:$port/postgres"
            exit 0
        fi
    done
    cat "$folder/start.log" "$folder/postgres.log" >&2
    fail "PostgreSQL did not start"
)

stop() (
    folder=$1
    bin=$(programs)
    if [ -f "$folder/data/postmaster.pid" ]; then
        as_owner "$folder" "$bin/pg_ctl" stop --pgdata="$folder/data" --mode=immediate --silent || true
    fi
    cd /
    rm -rf "$folder"
)

halt() (
    bin=$(programs)
    as_owner "$1" "$bin/pg_ctl" stop --pgdata="$1/data" --mode=immediate --silent
)

resume() (
    bin=$(programs)
    as_owner "$1" "$bin/pg_ctl" start --pgdata="$1/data" --wait --timeout=60 --silent \
        --log="$1/postgres.log" --options="-p $(cat "$1/port")" >"$1/start.log" 2>&1 ||
        { cat "$1/start.log" >&2; fail "PostgreSQL did not start again"; }
)

run() {
    local folder line
    folder=$(mktemp -d "${TMPDIR:-/tmp}/keyward-postgres.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now is meant
    trap "stop '$folder'" EXIT
    trap 'exit 130' INT TERM
    line=$(start "$folder")
    export KEYWARD_TEST_POSTGRES=${line#KEYWARD_TEST_POSTGRES=}
    "$@"
}

case "${1:-}" in
run)
    shift
    [ $# -gt 0 ] || fail "run what?"
    run "$@"
    ;;
start | stop | halt | resume)
    [ $# -eq 2 ] || fail "$1 which folder?"
    "$1" "$2"
    ;;
*)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
