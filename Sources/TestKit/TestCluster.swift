import Glibc
package import Postgres

/// A PostgreSQL for the tests of one process.
///
/// The one that `ONBOARD_TEST_DATABASE_URL` names, or a private one: made on first use in a short temporary folder,
/// reached over a Unix socket there or over loopback, and gone with the process, however that ends.
package actor TestCluster {
    /// The cluster of this process.
    package static let shared = TestCluster()

    /// What went wrong, in one sentence that says what to do.
    package struct Failure: Error, CustomStringConvertible {
        /// The sentence.
        package let description: String
    }

    private var starting: Task<ConnectionString, any Error>?

    /// The cluster's connection string; the role in it is a superuser.
    ///
    /// - Throws: ``Failure`` if there is no PostgreSQL, or it does not start within a minute.
    package func connectionString() async throws -> ConnectionString {
        if let starting { return try await starting.value }
        // Unstructured, since the first caller starts it for all, whatever becomes of that caller.
        let start = Task { try await Self.start() }
        starting = start
        return try await start.value
    }

    private static func start() async throws -> ConnectionString {
        if let url = environment("ONBOARD_TEST_DATABASE_URL") { return try ConnectionString(parsing: url) }
        let folder = try makeFolder()
        let port = try freePort()
        try launch(binaries: try binaries(), folder: folder, port: port)
        var string = try ConnectionString(parsing: "")
        string["host"] = folder
        string["port"] = String(port)
        string["user"] = "postgres"
        string["dbname"] = "postgres"
        try await waitUntilReady(string, folder: folder)
        return string
    }

    private static func waitUntilReady(_ string: ConnectionString, folder: String) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                let connection = try await Connection.open(
                    ConnectionConfiguration(connectionString: string.keywordForm))
                await connection.close()
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw Failure(description: "PostgreSQL did not start; see \(folder)/log. Last: \(error)")
                }
                // Nobody tells when a starting server is ready.
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

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

    /// Short, since a socket's path may have no more than 107 bytes.
    private static func makeFolder() throws -> String {
        var template = Array("/tmp/onboard-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "cannot make a folder in /tmp") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func freePort() throws -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(socket, generic, length) == 0 ? getsockname(socket, generic, &length) : -1
            }
        }
        guard status == 0 else { throw Failure(description: "no free port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Starts a shell that runs the server until its standard input ends, which is when this process is gone.
    private static func launch(binaries: String, folder: String, port: Int) throws {
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
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        for descriptor in [Int32(1), 2] {
            posix_spawn_file_actions_addopen(
                &actions, descriptor, "\(folder)/log", O_WRONLY | O_CREAT | O_APPEND, 0o666)
        }
        let words = ["/bin/sh", "-c", script, "onboard-test-cluster", binaries, folder, String(port)]
        let arguments = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child = pid_t()
        let status = posix_spawn(&child, "/bin/sh", &actions, nil, arguments, Glibc.environ)
        close(ends[0])
        // The other end stays open for as long as this process lives.
        guard status == 0 else { throw Failure(description: "cannot start /bin/sh: errno \(status)") }
    }

    /// $1 binaries, $2 folder, $3 port. PostgreSQL refuses root, so root becomes `postgres`.
    private static let script = """
        trap '' INT HUP TERM
        as=
        if [ "$(id -u)" = 0 ]; then
            chown postgres "$2"
            as="setpriv --reuid=postgres --regid=postgres --clear-groups"
        fi
        $as "$1/initdb" -D "$2/data" -U postgres -A trust -N --no-locale -E UTF8 >/dev/null || exit 1
        $as "$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off \\
            -c full_page_writes=off -c max_connections=500 -c shared_buffers=64MB </dev/null &
        server=$!
        cat >/dev/null
        kill -QUIT "$server"
        wait "$server"
        rm -rf "$2"
        """

    /// A variable of this process.
    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
