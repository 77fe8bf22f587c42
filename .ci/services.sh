#!/usr/bin/env bash
# Starts what the tests need and exports where it is:
#   PIPE_TEST_POSTGRES_URL, PIPE_TEST_REDIS_URL
# Each comes from the given URL if it is set, else from local binaries, else from Debian's packages, else from docker
# compose. Source this file and call services_start; services_stop takes away all that was started.

services_dir=""
services_pg_ctl=""
services_redis_pid=""
services_compose=""

services_log() { printf 'services: %s\n' "$*" >&2; }

services_apt() { # packages...
    command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
    services_log "installing Debian's packages: $*"
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

services_free_port() {
    local port
    for port in $(shuf -i 20000-40000 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return 0
        fi
    done
    return 1
}

services_find_initdb() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)
    [ -n "$found" ] || found=$(command -v initdb 2>/dev/null)
    [ -n "$found" ] && printf '%s' "$found"
}

services_as_postgres() { # PostgreSQL refuses to run as root
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

services_start_postgres() {
    [ -n "${PIPE_TEST_POSTGRES_URL:-}" ] && return 0
    local initdb bin port data
    initdb=$(services_find_initdb) || { services_apt postgresql && initdb=$(services_find_initdb); } || return 1
    bin=$(dirname "$initdb")
    port=$(services_free_port) || return 1
    data="$services_dir/postgres"
    mkdir -p "$data"
    [ "$(id -u)" = 0 ] && chown postgres "$data"
    services_as_postgres "$initdb" -D "$data/db" -U pipe --auth=trust -E UTF8 --locale=C >"$services_dir/initdb.log" 2>&1 || {
        cat "$services_dir/initdb.log" >&2
        return 1
    }
    services_pg_ctl="$bin/pg_ctl"
    services_as_postgres "$bin/pg_ctl" -D "$data/db" -w -t 60 -l "$data/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$data'" start >/dev/null || {
        cat "$data/log" >&2
        return 1
    }
    export PIPE_TEST_POSTGRES_URL="postgres://pipe@127.0.0.1:$port/postgres?sslmode=disable"
    services_log "PostgreSQL on port $port"
}

services_start_redis() {
    [ -n "${PIPE_TEST_REDIS_URL:-}" ] && return 0
    local port
    command -v redis-server >/dev/null 2>&1 || services_apt redis-server || return 1
    port=$(services_free_port) || return 1
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$services_dir" \
        >"$services_dir/redis.log" 2>&1 </dev/null &
    services_redis_pid=$!
    local i
    for i in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            export PIPE_TEST_REDIS_URL="redis://127.0.0.1:$port/0"
            services_log "Redis on port $port"
            return 0
        fi
        sleep 0.1
    done
    cat "$services_dir/redis.log" >&2
    return 1
}

# Both servers from docker compose, where there is neither a binary nor a package.
services_start_compose() {
    command -v docker >/dev/null 2>&1 || return 1
    export POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')}"
    services_compose="docker compose -f docker-compose.yml -p pipe-test"
    $services_compose up -d --wait postgres redis >&2 || return 1
    export PIPE_TEST_POSTGRES_URL="${PIPE_TEST_POSTGRES_URL:-postgres://pipe:$POSTGRES_PASSWORD@127.0.0.1:5432/postgres?sslmode=disable}"
    export PIPE_TEST_REDIS_URL="${PIPE_TEST_REDIS_URL:-redis://127.0.0.1:6379/0}"
}

# What the tests compare figures with: scikit-learn and pandas for Debian's Python.
services_oracles() {
    /usr/bin/python3 -c 'import sklearn, pandas' 2>/dev/null && return 0
    services_apt python3-sklearn python3-pandas
}

services_start() {
    services_dir=$(mktemp -d "${TMPDIR:-/tmp}/pipe-services.XXXXXX")
    chmod 755 "$services_dir"
    trap services_stop EXIT
    trap 'exit 130' INT TERM
    command -v gcc >/dev/null 2>&1 || services_apt gcc libc6-dev g++ ||
        { services_log "no C compiler: DuckDB needs one (install gcc)"; return 1; }
    services_oracles ||
        services_log "scikit-learn and pandas are missing for /usr/bin/python3: the tests that compare with them will fail"
    if ! services_start_postgres || ! services_start_redis; then
        services_start_compose || {
            services_log "PostgreSQL or Redis could not be started. Set PIPE_TEST_POSTGRES_URL and PIPE_TEST_REDIS_URL, install" \
                "the packages postgresql and redis-server, or start Docker."
            return 1
        }
    fi
}

services_stop() {
    trap - EXIT
    [ -n "$services_redis_pid" ] && kill "$services_redis_pid" 2>/dev/null && wait "$services_redis_pid" 2>/dev/null
    [ -n "$services_pg_ctl" ] &&
        services_as_postgres "$services_pg_ctl" -D "$services_dir/postgres/db" -m immediate stop >/dev/null 2>&1
    [ -n "$services_compose" ] && $services_compose down -v >/dev/null 2>&1
    [ -n "$services_dir" ] && rm -rf "$services_dir"
    services_redis_pid="" services_pg_ctl="" services_compose="" services_dir=""
}
