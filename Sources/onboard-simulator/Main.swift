import ArgumentParser
import Contracts
import Foundation
import Kinds
import Simulator

/// `onboard-simulator`: the providers on loopback, for tests and for whoever integrates.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onboard-simulator",
        abstract: "Plays the providers on one port, with faults on demand and a ledger of every effect.",
        discussion: """
            Base URLs: \(basePaths.joined(separator: ", ")). The API key is sandbox-key, a secret beside it sandbox-secret.
            GET /_simulator/ledger lists every record that was created, GET /_simulator/summary counts calls and doubles,
            requests under a used key with another body, and requests that have not taken effect yet.
            PUT /_simulator/faults replaces the faults: a JSON array such as
            [{"provider": "*", "first": 20, "fault": "throttle", "seconds": 2}]
            Faults: \(FaultRule.Fault.allCases.map(\.rawValue).joined(separator: ", ")); limited by provider, method,
            contains, first and every; with status, milliseconds, seconds, as_date, cut_after, per_second, pages.
            What exists already, such as an e-mail address that Juicyway knows, is refused with 409; with --accept-duplicates
            another record of it is made, as a worker must expect where the answer is not documented.
            PUT /_simulator/key makes its body the API key of all, as when a key is rotated.
            E-mail addresses below .invalid are refused, with 400 or 422.
            """)

    @Option(help: "The address to listen on.") var bind = "127.0.0.1"
    @Option(help: "The port; 0 picks a free one.") var port = 8090
    @Option(help: "A file to write the port to once it listens.") var portFile: String?
    @Option(help: "A file to append every effect to, one line of JSON each.") var ledger: String?
    @Option(help: "How much later every answer comes, in milliseconds.") var delay = 0
    @Option(help: "Faults from the start, as JSON.") var faults: String?
    @Flag(help: "Make a second record of what exists already, where 409 would be the answer.")
    var acceptDuplicates = false
    @Flag(help: "Print the environment of a worker that talks to this port, and end.") var printEnvironment = false

    /// The argument parser's own, but that output which could not be written is no success: half an environment would lead
    /// a worker elsewhere.
    static func main() async {
        var code = ExitCode.success
        do {
            try await parse().run()
        } catch {
            code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code.isSuccess { print(text) } else { complain(text) }
        }
        guard fflush(nil) == 0 || !code.isSuccess else {
            complain("onboard-simulator: cannot write to standard output")
            Foundation.exit(74)
        }
        Foundation.exit(code.rawValue)
    }

    private static func complain(_ text: String) {
        // Where this cannot be written either, the exit code has to do.
        _ = "\(text)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be between 0 and 65535") }
        guard delay >= 0 else { throw ValidationError("--delay must not be negative") }
    }

    func run() async throws {
        var simulator = SimulatorConfiguration()
        if printEnvironment {
            printEnvironment(simulator.keys)
            return
        }
        simulator.host = bind
        simulator.port = port
        simulator.delay = .milliseconds(delay)
        simulator.ledgerFile = ledger
        simulator.acceptsDuplicates = acceptDuplicates
        if let faults {
            do {
                simulator.faults = try FaultRule.list(JSONValue(parsing: Array(faults.utf8)))
            } catch {
                throw ValidationError("--faults: \(error)")
            }
        }
        let bind = bind
        let portFile = portFile
        try await SimulatorServer(simulator).run { port in
            // Written elsewhere and renamed, so that no reader sees an empty file; who waits for it tells of a failure.
            if let portFile { try? Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: portFile), options: .atomic) }
            print("listening on http://\(bind):\(port)")
            fflush(nil)
        }
    }

    private static let basePaths = Registry.shipped.providers.map { "/\($0.name)\($0.simulation.basePath)" }

    private func printEnvironment(_ keys: SimulatorKeys) {
        let base = "http://\(bind):\(port)"
        for (provider, path) in zip(Registry.shipped.providers, Self.basePaths) {
            let values = keys.settings(of: provider).sorted { $0.key < $1.key }
            for (name, value) in [("BASE_URL", base + path)] + values.map({ ($0.key, $0.value) }) {
                print("export ONBOARD_\(provider.setting(name))='\(value)'")
            }
        }
    }
}
