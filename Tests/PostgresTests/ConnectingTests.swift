import Glibc
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConnectingTests {
    @Test(arguments: [
        "postgresql://u:hunter2@host:port:5432/db", "password=hunter2 hunter2", "password='hunter2",
        "hunter2", "postgresql://u:hunter2@[::1/db", "postgresql://u@h/db?hunter2=1", "host=a hunter2=b", "host=\0",
    ])
    func `a wrong connection string gets one clear error without what it holds`(string: String) async throws {
        let error = try await failure {
            _ = try await Connection.open(ConnectionConfiguration(connectionString: string))
        }
        #expect([.invalidConnectionString, .connectionFailed].contains(error.code))
        #expect(!"\(error)\(String(reflecting: error))".contains("hunter2"))
        #expect(!error.description.contains("\n"))
    }

    @Test func `a refused role has its SQLSTATE`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let error = try await failure {
                let wrong = string + " user=nobody_of_this_name password=hunter2"
                _ = try await Connection.open(ConnectionConfiguration(connectionString: wrong))
            }
            #expect(error.code == .connectionFailed)
            #expect(error.sqlState?.isClass("28") == true)
            #expect(!error.description.contains("hunter2"))
        }
    }

    @Test func `a database that is not there has its SQLSTATE`() async throws {
        let string = try await TestCluster.shared.connectionString().keywordForm + " dbname=absent"
        let error = try await failure {
            _ = try await Connection.open(ConnectionConfiguration(connectionString: string))
        }
        #expect(error.code == .connectionFailed)
        #expect(error.sqlState?.code == "3D000")
    }

    @Test func `nobody listening is a failure at once`() async throws {
        let error = try await failure {
            _ = try await Connection.open(ConnectionConfiguration(connectionString: "host=127.0.0.1 port=1"))
        }
        #expect(error.code == .connectionFailed)
        #expect(error.isRetryable)
    }

    @Test func `a server that is too old is refused by name`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let error = try await failure {
                _ = try await Connection.open(
                    ConnectionConfiguration(connectionString: string, minimumServerVersion: 990_000))
            }
            #expect(error.code == .serverTooOld)
            #expect(error.message.contains("99 or newer"))
        }
    }

    @Test(arguments: ["SQL_ASCII", "LATIN1"])
    func `a database that cannot hold every text is refused by name`(encoding: String) async throws {
        try await withTestDatabase(migrated: false) { string in
            let connection = try await Connection.open(ConnectionConfiguration(connectionString: string))
            let name = "encoded_\(encoding.lowercased())_\(UInt32.random(in: 0...UInt32.max))"
            try await connection.run(
                script: "CREATE DATABASE \(name) ENCODING '\(encoding)' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
                timeout: .seconds(60))
            var other = try ConnectionString(parsing: string)
            other["dbname"] = name
            let error = try await failure {
                _ = try await Connection.open(ConnectionConfiguration(connectionString: other.keywordForm))
            }
            #expect(error.code == .wrongEncoding)
            #expect(error.message.contains(encoding))
            try await connection.run(script: "DROP DATABASE \(name)")
            await connection.close()
        }
    }

    @Test func `a server that accepts and says nothing is given up, and a cancelled task sooner`() async throws {
        let listener = try SilentServer()
        let configuration = ConnectionConfiguration(
            connectionString: "host=127.0.0.1 port=\(listener.port) sslmode=disable", connectTimeout: .milliseconds(300)
        )
        let error = try await failure { _ = try await Connection.open(configuration) }
        #expect(error.code == .connectionFailed)
        var patient = configuration
        patient.connectTimeout = .seconds(60)
        let opening = Task { [patient] in try await Connection.open(patient) }
        await Task.yield()
        opening.cancel()
        #expect(try await failure { _ = try await opening.value }.code == .cancelled)
    }

    @Test func `of several hosts the first that fits is taken`() async throws {
        let cluster = try await TestCluster.shared.connectionString()
        let port = try #require(cluster["port"])
        let string =
            "host=127.0.0.1,127.0.0.1 port=1,\(port) user=postgres dbname=postgres target_session_attrs=read-write"
        guard cluster["host"]?.hasPrefix("/") == true else { return }
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: string))
        #expect(try await connection.query(Statement("SELECT 1")).count == 1)
        await connection.close()
        let standby = string.replacing("read-write", with: "standby")
        let error = try await failure {
            _ = try await Connection.open(ConnectionConfiguration(connectionString: standby))
        }
        #expect(error.code == .connectionFailed)
    }
}

/// Accepts connections in the kernel alone and never answers.
final class SilentServer {
    let port: Int
    private let descriptor: Int32

    /// Listens on `127.0.0.lastByte`, on a free port unless one is given.
    init(lastByte: UInt32 = 1, port wanted: Int = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = (0x7f00_0000 + lastByte).bigEndian
        address.sin_port = UInt16(wanted).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
            }
        }
        try #require(status == 0 && listen(descriptor, 8) == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
