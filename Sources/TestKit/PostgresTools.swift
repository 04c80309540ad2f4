import Foundation

/// PostgreSQL's own programs, as an operator runs them.
package enum PostgresTools {
    /// A dump in a file, which goes with this value.
    package final class Dump: Sendable {
        let file: URL

        init(_ file: URL) { self.file = file }

        deinit { try? FileManager.default.removeItem(at: file) }  // A leftover harms nobody.
    }

    /// Runs `pg_dump` with these arguments.
    package static func dump(_ url: String, _ arguments: [String]) async throws -> Dump {
        let dump = Dump(
            FileManager.default.temporaryDirectory.appendingPathComponent("onboard-\(UUID().uuidString).dump"))
        let ended = try await run("pg_dump", ["--dbname=\(url)", "--file=\(dump.file.path)"] + arguments)
        guard ended.exitCode == 0 else { throw Failure(description: "pg_dump: \(ended.errors.prefix(1000))") }
        return dump
    }

    /// Reads a plain dump into a database by `psql` and returns the errors, at which it does not stop.
    package static func replay(_ dump: Dump, into url: String, _ arguments: [String] = []) async throws -> [String] {
        try await errors("psql", ["-qX", "--dbname=\(url)", "--file=\(dump.file.path)"] + arguments)
    }

    /// Restores a dump of the custom format and returns the errors.
    package static func restore(_ dump: Dump, into url: String, _ arguments: [String] = []) async throws -> [String] {
        try await errors("pg_restore", ["--dbname=\(url)", dump.file.path] + arguments)
    }

    private static func errors(_ program: String, _ arguments: [String]) async throws -> [String] {
        try await run(program, arguments).errors.split(separator: "\n").map(String.init).filter {
            $0.contains("ERROR: ") || $0.contains("FATAL: ")
        }
    }

    private static func run(_ program: String, _ arguments: [String]) async throws -> Program.Ended {
        try await Program(at: URL(fileURLWithPath: "/usr/bin/env"), [program] + arguments).start().ended()
    }

    /// A program that did not do its work.
    package struct Failure: Error, CustomStringConvertible {
        /// What it said.
        package let description: String
    }
}
