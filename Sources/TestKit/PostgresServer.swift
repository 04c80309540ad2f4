import Glibc
import NIOConcurrencyHelpers
package import Postgres

/// A PostgreSQL of its own in a short temporary folder, which can be stopped, restarted, copied to a standby and
/// promoted. It is gone with the process that started it, however that ends.
///
/// It listens on loopback, on a Unix socket in its folder, and speaks TLS with a certificate of its own.
package actor PostgresServer {
    /// How a server is stopped.
    package enum StopMode: String, Sendable {
        /// Sessions are ended and transactions rolled back.
        case fast
        /// As in a crash: recovery follows at the next start.
        case immediate
    }

    /// What went wrong, in one sentence that says what to do.
    package struct Failure: Error, CustomStringConvertible {
        /// The sentence.
        package let description: String
    }

    /// Where its socket, its log and its certificate `server.crt` are.
    package nonisolated let folder: String
    /// The port on loopback, which also names the socket.
    package nonisolated let port: Int
    private let supervisor: Int32
    private var isRunning = false

    /// The superuser's connection string, over the Unix socket.
    package nonisolated var connectionString: ConnectionString {
        get throws {
            var string = try ConnectionString(parsing: "")
            string["host"] = folder
            string["port"] = String(port)
            string["user"] = "postgres"
            string["dbname"] = "postgres"
            return string
        }
    }

    /// Makes the data folder, empty or as a copy of `primary`; ``start(within:)`` starts the server.
    ///
    /// - Parameters:
    ///   - settings: lines for `postgresql.conf`; those given later win.
    ///   - hasMovableClock: whether ``moveClock(by:)`` can be used; needs libfaketime.
    ///   - primary: the running server that this one shall follow as a streaming standby.
    /// - Throws: ``Failure`` if no PostgreSQL is installed, or the folder cannot be made.
    package init(
        settings: [String] = [], standbyOf primary: PostgresServer? = nil, hasMovableClock: Bool = false
    ) throws {
        folder = try Self.makeFolder()
        port = try Self.freePort()
        supervisor = try Self.launchSupervisor([
            try Self.binaries(), folder, String(port),
            primary.map { "host=\($0.folder) port=\($0.port) user=postgres" } ?? "",
            settings.joined(separator: "\n"), hasMovableClock ? try Self.clockLibrary() : "",
        ])
    }

    /// Lets the server's clock show the time of day moved by `offset`, from now on; its monotonic clock goes on.
    package nonisolated func moveClock(by offset: Duration) throws {
        let seconds = offset.components.seconds
        let path = "\(folder)/clock"
        guard let file = fopen(path + ".new", "w") else { throw Failure(description: "cannot write \(path)") }
        fputs(seconds < 0 ? "\(seconds)\n" : "+\(seconds)\n", file)
        fclose(file)
        // At once, since every session reads it all the time.
        guard rename(path + ".new", path) == 0 else { throw Failure(description: "cannot write \(path)") }
    }

    deinit { close(supervisor) }

    /// Starts the server and returns when it answers.
    ///
    /// - Throws: ``Failure`` if it does not within `limit`.
    package func start(within limit: Duration = .seconds(60)) async throws {
        try await tell("start")
        isRunning = true
        try await waitUntilReady(limit)
    }

    /// Stops the server and returns when its process is gone; without effect on a stopped one.
    package func stop(_ mode: StopMode) async throws {
        guard isRunning else { return }
        isRunning = false
        try await tell(mode.rawValue)
    }

    /// Stops all processes of the server where they stand: connections are accepted by the kernel, and nobody answers.
    package func freeze() async throws {
        try await tell("freeze")
    }

    /// Lets a frozen server go on.
    package func thaw() async throws {
        try await tell("thaw")
    }

    /// Makes a standby a primary; returns when it accepts writes.
    package func promote() async throws {
        try await tell("promote")
    }

    /// One command to the supervisor, and its answer. Its own work is bounded by the server's.
    private func tell(_ command: String) async throws {
        _ = (command + "\n").withCString { send(supervisor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        let deadline = ContinuousClock.now + .seconds(120)
        var answer = [UInt8](repeating: 0, count: 1)
        while recv(supervisor, &answer, 1, Int32(MSG_DONTWAIT)) != 1 {
            guard errno == EAGAIN, ContinuousClock.now < deadline else {
                throw Failure(description: "PostgreSQL: \(command) failed; see \(folder)/log")
            }
            // Another process: nothing to await.
            try await Task.sleep(for: .milliseconds(5))
        }
        guard answer[0] == UInt8(ascii: "+") else {
            throw Failure(description: "PostgreSQL: \(command) failed; see \(folder)/log")
        }
    }

    private func waitUntilReady(_ limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        let configuration = ConnectionConfiguration(connectionString: try connectionString.keywordForm)
        while true {
            do {
                await (try await Connection.open(configuration)).close()
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw Failure(description: "PostgreSQL did not start; see \(folder)/log. Last: \(error)")
                }
                // Nobody tells when a starting server is ready.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

// MARK: - The supervisor

extension PostgresServer {
    /// $1 binaries, $2 folder, $3 port, $4 the primary's conninfo or nothing, $5 settings, $6 the library that moves the
    /// clock or nothing. PostgreSQL refuses root, so root becomes `postgres`. It obeys lines on its standard input and answers `+` or `-`; at its end all is over.
    private static let script = """
        trap '' INT HUP TERM
        umask 022
        as=
        if [ "$(id -u)" = 0 ]; then
            chown postgres "$2"
            as="setpriv --reuid=postgres --regid=postgres --init-groups"
        fi
        cd "$2" || exit 1
        made=no
        make_data() {
            if [ -n "$4" ]; then
                # Not under the standby's name: a copy under way is no synchronous standby.
                $as "$1/pg_basebackup" -d "$4" -D "$2/data" -X stream -c fast >&2 || return 1
                $as touch "$2/data/standby.signal"
            else
                $as "$1/initdb" -D "$2/data" -U postgres -A trust -N --no-locale -E UTF8 >&2 || return 1
                $as openssl req -new -x509 -days 3650 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \\
                    -keyout "$2/data/server.key" -out "$2/data/server.crt" 2>/dev/null || return 1
                $as chmod 600 "$2/data/server.key"
                printf '%s\\n' "ssl = on" "include_if_exists '$2/common.conf'" \\
                    >>"$2/data/postgresql.conf"
            fi
            cp "$2/data/server.crt" "$2/server.crt" 2>/dev/null
            sed -i "s|include_if_exists '.*/common.conf'|include_if_exists '$2/common.conf'|" "$2/data/postgresql.conf"
            printf '%s\\n' "listen_addresses = '127.0.0.1'" "port = $3" "unix_socket_directories = '$2'" \\
                "primary_conninfo = '$4 application_name=standby'" "$5" >"$2/common.conf"
            made=yes
        }
        while read -r command; do
            fine=+
            case $command in
                start)
                    [ $made = yes ] || make_data "$@" </dev/null || fine=-
                    clock=
                    if [ -n "$6" ]; then
                        [ -e "$2/clock" ] || echo +0 >"$2/clock"
                        clock="env LD_PRELOAD=$6 FAKETIME_TIMESTAMP_FILE=$2/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
                    fi
                    $as $clock "$1/postgres" -D "$2/data" </dev/null >&2 &
                    server=$! ;;
                fast) kill -INT "$server" && wait "$server" ;;
                immediate)
                    # A frozen one takes the signal when it goes on, before anything else.
                    kill -QUIT "$server" && kill -CONT "$server" $(cat "/proc/$server/task/$server/children")
                    wait "$server" ;;
                freeze) kill -STOP "$server" && kill -STOP $(cat "/proc/$server/task/$server/children") || fine=- ;;
                thaw) kill -CONT $(cat "/proc/$server/task/$server/children") "$server" || fine=- ;;
                promote) $as "$1/pg_ctl" promote -w -t 60 -D "$2/data" </dev/null >&2 || fine=- ;;
            esac
            printf '%s' "$fine"
        done
        [ -n "$server" ] && kill -QUIT "$server" && kill -CONT $(cat "/proc/$server/task/$server/children") "$server"
        wait "$server"
        cd / && rm -rf "$2"
        """

    /// The newest installed version.
    private static func binaries() throws -> String {
        let roots = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"]
        for root in roots {
            for version in (15...25).reversed() where access("\(root)/\(version)/bin/initdb", X_OK) == 0 {
                return "\(root)/\(version)/bin"
            }
        }
        throw Failure(
            description: "no PostgreSQL 15 or newer under /usr/lib/postgresql: install it (apt-get install postgresql) "
                + "or set ONBOARD_TEST_DATABASE_URL to a superuser's connection string")
    }

    private static func clockLibrary() throws -> String {
        for machine in ["x86_64", "aarch64"] {
            let path = "/usr/lib/\(machine)-linux-gnu/faketime/libfaketime.so.1"
            if access(path, R_OK) == 0 { return path }
        }
        throw Failure(description: "libfaketime is missing: install it (apt-get install libfaketime)")
    }

    /// Short, since a socket's path may have no more than 107 bytes.
    private static func makeFolder() throws -> String {
        var template = Array("/tmp/onboard-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "cannot make a folder in /tmp") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(folder, 0o755)
        return folder
    }

    /// A port below those that the system gives to clients: one of theirs may be taken again before the server has it.
    private static func freePort() throws -> Int {
        for _ in 0..<100 {
            let port = UInt16.random(in: 10_000...32_000)
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { Glibc.close(socket) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    bind(socket, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status == 0 { return Int(port) }
        }
        throw Failure(description: "no free port on 127.0.0.1")
    }

    /// Starts the shell above; its end of the pair is its standard input and output.
    private static func launchSupervisor(_ arguments: [String]) throws -> Int32 {
        var ends: [Int32] = [0, 0]
        // A pair of sockets and not a pipe, since only those are closed on exec from the start: a child of another
        // test must not keep our end open.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw Failure(description: "no socket pair: errno \(errno)")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [Int32(0), 1] { posix_spawn_file_actions_adddup2(&actions, ends[0], descriptor) }
        posix_spawn_file_actions_addopen(&actions, 2, "\(arguments[1])/log", O_WRONLY | O_CREAT | O_APPEND, 0o666)
        // A server that held this process's sockets would keep them open when this process has closed them.
        for descriptor in 3..<Int32(min(sysconf(Int32(_SC_OPEN_MAX)), 65_536)) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        let words = (["/bin/sh", "-c", script, "onboard-postgres"] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child = pid_t()
        let status = posix_spawn(&child, "/bin/sh", &actions, nil, words, Glibc.environ)
        close(ends[0])
        guard status == 0 else {
            close(ends[1])
            throw Failure(description: "cannot start /bin/sh: errno \(status)")
        }
        return ends[1]
    }
}
