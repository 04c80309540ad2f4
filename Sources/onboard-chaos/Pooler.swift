import Foundation
import TestKit

/// A pgbouncer in transaction mode, as callers often have one in front of their database.
final class Pooler: Sendable {
    /// Where it listens on loopback.
    let port: Int
    private let process: Program
    private let folder: URL

    /// Starts one that leads to `target` on loopback; nil where none is installed.
    static func start(to target: Int) async throws -> Pooler? {
        let program = URL(fileURLWithPath: "/usr/sbin/pgbouncer")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            say("pgbouncer is not installed: callers connect directly")
            return nil
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "onboard-pooler-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // The system's own choice is not told; one from the range that it does not choose from is free as a rule.
        let port = Int.random(in: 20_000...29_999)
        let file = folder.appendingPathComponent("pgbouncer.ini")
        try """
        [databases]
        postgres = host=127.0.0.1 port=\(target) user=postgres
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = \(port)
        unix_socket_dir =
        auth_type = any
        pool_mode = transaction
        server_tls_sslmode = disable
        server_login_retry = 0.2
        query_wait_timeout = 10
        """.write(to: file, atomically: true, encoding: .utf8)
        // It refuses to run as root.
        let user = getuid() == 0 ? ["-u", "postgres"] : []
        let pooler = Pooler(port: port, process: try Program(at: program, user + [file.path]).start(), folder: folder)
        try await Task.sleep(for: .milliseconds(300))
        guard pooler.process.isRunning else {
            throw NotInTime(description: "pgbouncer did not start: \(pooler.process.errors.suffix(300))")
        }
        return pooler
    }

    private init(port: Int, process: Program, folder: URL) {
        self.port = port
        self.process = process
        self.folder = folder
    }

    /// Kills it and deletes its files.
    func stop() {
        process.signal(SIGKILL)
        try? FileManager.default.removeItem(at: folder)  // A leftover harms nobody.
    }
}
