import Foundation
import Postgres
import TestKit

/// A migrated database, a running simulator and the environment that leads a worker to both.
struct Stage {
    let databaseURL: String
    let connection: Connection
    let simulator: Program
    let ledgerFile: URL
    var environment: [String: String]

    /// The same stage seen over another connection, for when the first has been lost.
    func on(_ connection: Connection) -> Stage {
        Stage(
            databaseURL: databaseURL, connection: connection, simulator: simulator, ledgerFile: ledgerFile,
            environment: environment)
    }

    func run(_ script: String) async throws { try await connection.run(script: script) }

    func value(_ expression: String) async throws -> String? {
        try await connection.query(Statement("SELECT (\(expression))::text"))[0].decode(String?.self, at: 0)
    }

    func count(_ condition: String) async throws -> Int {
        Int(try await value("SELECT count(*) FROM onboarding.jobs WHERE \(condition)") ?? "") ?? -1
    }

    func work(_ arguments: [String] = [], _ more: [String: String] = [:]) throws -> Program {
        try Program("onboard", ["work"] + arguments, environment: environment.merging(more) { $1 }).start()
    }

    /// The simulator's ledger: one entry an effect.
    func effects() throws -> [[String: Any]] {
        try String(contentsOf: ledgerFile, encoding: .utf8).split(separator: "\n").map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
        }
    }

    /// What the simulator counted for one provider.
    func traffic(of provider: String) throws -> [String: Int] {
        let base = environment["ONBOARD_CONNECT_BASE_URL"]?.replacingOccurrences(of: "/connect", with: "") ?? ""
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl", "-s", "--max-time", "10", "\(base)/_simulator/summary"]
        process.standardOutput = output
        try process.run()
        let body = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let summary = try JSONSerialization.jsonObject(with: body) as? [String: Any]
        return (summary?["providers"] as? [String: Any])?[provider] as? [String: Int] ?? [:]
    }

    /// Effects by the key that caused them, counting those that came more than once.
    func keysWithSeveralEffects() throws -> [String] {
        let keys = try effects().compactMap { $0["idempotency_key"] as? String }
        return Dictionary(grouping: keys) { $0 }.filter { $1.count > 1 }.map(\.key)
    }
}

/// Sets up a stage on a database of its own, with the simulator's own arguments, and takes it down again.
func withStage(_ simulatorArguments: [String] = [], _ body: (Stage) async throws -> Void) async throws {
    try await withTestDatabase { try await withStage(simulatorArguments, on: $0, body) }
}

/// Sets up a stage on a migrated database.
func withStage(
    _ simulatorArguments: [String] = [], on databaseURL: String, _ body: (Stage) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-stage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let ledger = folder.appendingPathComponent("ledger.jsonl")
    let portFile = folder.appendingPathComponent("port")
    let simulator = try Program(
        "onboard-simulator",
        ["--port", "0", "--port-file", portFile.path, "--ledger", ledger.path] + simulatorArguments
    ).start()
    try await eventually("the simulator's port; it says: \(simulator.errors)") {
        FileManager.default.fileExists(atPath: portFile.path)
    }
    let port = try String(contentsOf: portFile, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    let base = "http://127.0.0.1:\(port)"
    let printed = try await Program.run("onboard-simulator", ["--print-environment", "--port", port])
    let stage = Stage(
        databaseURL: databaseURL,
        connection: try await Connection.open(ConnectionConfiguration(connectionString: databaseURL)),
        simulator: simulator, ledgerFile: ledger,
        environment: environment(of: printed.output, base: base).merging([
            "ONBOARD_DATABASE_URL": databaseURL, "ONBOARD_HTTP_BIND": "off",
        ]) { $1 })
    do {
        try await body(stage)
    } catch {
        await takeDown(stage, folder)
        throw error
    }
    await takeDown(stage, folder)
}

private func takeDown(_ stage: Stage, _ folder: URL) async {
    await stage.connection.close()
    stage.simulator.signal(SIGKILL)
    try? FileManager.default.removeItem(at: folder)  // a leftover harms nobody
}

/// Reads `export NAME=value` lines.
private func environment(of text: String, base: String) -> [String: String] {
    var result: [String: String] = [:]
    for line in text.split(separator: "\n") {
        let words = line.replacingOccurrences(of: "export ", with: "").split(separator: "=", maxSplits: 1)
        guard words.count == 2 else { continue }
        result[String(words[0])] = words[1].trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
    }
    return result
}
