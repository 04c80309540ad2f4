# What the scripts of this folder need beside Swift; sourced by them.

# require_packages [tests|faults]: installs the Debian packages that are missing, or says which they are where it
# may not. The tests need more than the programs, the fault campaign more than the tests.
require_packages() {
    local missing=()
    pkg-config --exists libpq 2>/dev/null || missing+=(libpq-dev pkg-config)
    [ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
    command -v psql >/dev/null || missing+=(postgresql-client)
    if [ "${1:-}" = faults ]; then
        [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
        [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    fi
    if [ "${1:-}" != "" ]; then
        ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing+=(libfaketime)
        python3 -c 'import jsonschema' 2>/dev/null || missing+=(python3 python3-jsonschema)
        command -v curl >/dev/null || missing+=(curl)
        command -v openssl >/dev/null || missing+=(openssl)
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        if [ "$(id -u)" -ne 0 ]; then
            echo "Missing packages. Run: sudo apt-get install -y ${missing[*]}" >&2
            return 1
        fi
        echo "Installing ${missing[*]} …" >&2
        # A cluster that Debian would create and start by itself is not wanted here.
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
        # Nor is a service that a package would start: RUNLEVEL=1 is how Debian is told so.
        apt-get update -qq >&2 && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2 || {
            echo "apt-get could not install ${missing[*]}; install them by hand and run this again." >&2
            return 1
        }
        # A python3 from elsewhere does not see Debian's modules.
        if [ "${1:-}" != "" ] && ! python3 -c 'import jsonschema' 2>/dev/null; then
            python3 -m pip install -q jsonschema >&2 || {
                echo "python3 lacks the module jsonschema; run: python3 -m pip install jsonschema" >&2
                return 1
            }
        fi
    fi
    command -v swift >/dev/null || {
        echo "Swift is missing: install Swift 6.3 from swift.org and put it on PATH." >&2
        return 1
    }
}
