import Postgres
import TestKit

/// A migrated database, a running simulator and the environment that leads a worker to both.
struct Stage {
    let databaseURL: String
    let connection: Connection
    let simulator: SimulatorProcess

    /// Leads a worker or a command to both.
    var environment: [String: String] {
        simulator.environment.merging(["ONBOARD_DATABASE_URL": databaseURL, "ONBOARD_HTTP_BIND": "off"]) { $1 }
    }

    /// The same stage seen over another connection, for when the first has been lost.
    func on(_ connection: Connection) -> Stage {
        Stage(databaseURL: databaseURL, connection: connection, simulator: simulator)
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
}

/// Sets up a stage on a database of its own, with the simulator's own arguments, and takes it down again.
func withStage(_ simulatorArguments: [String] = [], _ body: (Stage) async throws -> Void) async throws {
    try await withTestDatabase { try await withStage(simulatorArguments, on: $0, body) }
}

/// Sets up a stage on a migrated database.
func withStage(
    _ simulatorArguments: [String] = [], on databaseURL: String, _ body: (Stage) async throws -> Void
) async throws {
    let stage = Stage(
        databaseURL: databaseURL,
        connection: try await Connection.open(ConnectionConfiguration(connectionString: databaseURL)),
        simulator: try await SimulatorProcess.start(simulatorArguments))
    do {
        // Longer than what the tests let come late, and short enough to wait for.
        try await stage.run("UPDATE onboarding.providers SET effect_horizon = '5 s'")
        try await body(stage)
    } catch {
        await takeDown(stage)
        throw error
    }
    await takeDown(stage)
}

private func takeDown(_ stage: Stage) async {
    await stage.connection.close()
    stage.simulator.stop()
}
