# A private PostgreSQL on a Unix socket, for the scripts of this folder; sourced by them.

# Runs a command as somebody PostgreSQL accepts: it refuses root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid postgres --regid postgres --init-groups -- "$@"
    else
        "$@"
    fi
}

# start_postgres FOLDER: makes and starts a server whose socket is in FOLDER; its superuser is postgres.
start_postgres() {
    local folder=$1 bin
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    mkdir -p "$folder/postgres"
    [ "$(id -u)" -ne 0 ] || chown postgres "$folder" "$folder/postgres"
    (cd "$folder" && as_postgres "$bin/initdb" -D "$folder/postgres/data" -A trust -U postgres -E UTF8 --no-sync) >"$folder/initdb.log" 2>&1 &&
        (cd "$folder" && as_postgres "$bin/pg_ctl" -D "$folder/postgres/data" -w -t 60 -l "$folder/postgres/log" \
            -o "-k $folder -c listen_addresses= -c fsync=off" start) >/dev/null
}

# stop_postgres FOLDER: stops the server of FOLDER at once.
stop_postgres() {
    local folder=$1 bin
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ -f "$folder/postgres/data/postmaster.pid" ] &&
        (cd "$folder" && as_postgres "$bin/pg_ctl" -D "$folder/postgres/data" -m immediate -w stop) >/dev/null 2>&1
    return 0
}
