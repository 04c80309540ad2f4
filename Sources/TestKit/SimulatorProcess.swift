import Foundation

/// A running `onboard-simulator`: where it listens, the environment that leads a worker to it, and what it counted.
///
/// It keeps a folder of its own until `stop()`.
package final class SimulatorProcess: Sendable {
    /// `http://127.0.0.1:PORT`.
    package let base: String
    /// What a worker needs in its environment to reach the four providers.
    package let environment: [String: String]
    private let program: Program
    private let folder: URL
    private let ledgerFile: URL

    /// Starts one on a free port and waits until it listens.
    ///
    /// - Parameter arguments: its own options, without port and ledger.
    package static func start(_ arguments: [String] = []) async throws -> SimulatorProcess {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("onboard-simulator-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let portFile = folder.appendingPathComponent("port")
        let ledgerFile = folder.appendingPathComponent("ledger.jsonl")
        let program = try Program(
            "onboard-simulator",
            ["--port", "0", "--port-file", portFile.path, "--ledger", ledgerFile.path] + arguments
        ).start()
        try await eventually("the simulator's port; it says: \(program.errors)") {
            FileManager.default.fileExists(atPath: portFile.path)
        }
        let port = try String(contentsOf: portFile, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let printed = try await Program.run("onboard-simulator", ["--print-environment", "--port", port])
        return SimulatorProcess(
            program, folder, ledgerFile, base: "http://127.0.0.1:\(port)",
            environment: exportedVariables(in: printed.output))
    }

    private init(
        _ program: Program, _ folder: URL, _ ledgerFile: URL, base: String, environment: [String: String]
    ) {
        self.program = program
        self.folder = folder
        self.ledgerFile = ledgerFile
        self.base = base
        self.environment = environment
    }

    /// Kills it and deletes its files.
    package func stop() {
        program.signal(SIGKILL)
        try? FileManager.default.removeItem(at: folder)  // A leftover harms nobody.
    }

    /// The ledger's lines so far, one JSON object an effect.
    package func ledger() throws -> [Substring] {
        try String(contentsOf: ledgerFile, encoding: .utf8).split(separator: "\n")
    }

    /// The ledger's entries so far, one an effect.
    package func effects() throws -> [[String: Any]] {
        try ledger().map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:] }
    }

    /// Keys under which a provider made more than one record.
    package func keysWithSeveralEffects() throws -> [String] {
        let keys = try effects().compactMap { $0["idempotency_key"] as? String }
        return Dictionary(grouping: keys) { $0 }.filter { $1.count > 1 }.map(\.key)
    }

    /// What it counted of one provider's calls.
    package func traffic(of provider: String) throws -> [String: Int] {
        let summary = try JSONSerialization.jsonObject(with: curl(["\(base)/_simulator/summary"])) as? [String: Any]
        return (summary?["providers"] as? [String: Any])?[provider] as? [String: Int] ?? [:]
    }

    /// Replaces its faults by these rules, each a JSON object as the README's page on the simulator tells.
    package func setFaults(_ rules: [String]) throws {
        _ = try curl(["-X", "PUT", "-d", "[\(rules.joined(separator: ","))]", "\(base)/_simulator/faults"])
    }

    /// Makes `key` the one that all providers let callers in with.
    package func rotateKey(to key: String) throws {
        _ = try curl(["-X", "PUT", "-d", key, "\(base)/_simulator/key"])
    }

    /// An HTTP call by a program that shares nothing with what is tested. Made again where no answer came: many processes on
    /// one disk can hold each other up for seconds.
    private func curl(_ arguments: [String]) throws -> Data {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl", "-sf", "--max-time", "10", "--retry", "3", "--retry-all-errors"] + arguments
        process.standardOutput = output
        try process.run()
        let body = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw NotInTime(description: "the simulator's answer (curl ended with \(process.terminationStatus))")
        }
        return body
    }
}

/// Reads `export NAME='value'` lines.
private func exportedVariables(in text: String) -> [String: String] {
    var result: [String: String] = [:]
    for line in text.split(separator: "\n") {
        let words = line.replacing("export ", with: "").split(separator: "=", maxSplits: 1)
        guard words.count == 2 else { continue }
        result[String(words[0])] = words[1].trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
    }
    return result
}
