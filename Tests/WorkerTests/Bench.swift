import JobModel
import Kinds
import Logging
import NIOConcurrencyHelpers
import Postgres
import Providers
import ServiceLifecycle
import TestKit
import Testing
import Worker

/// A migrated database of its own with callers' statements and workers on it.
struct Bench: Sendable {
    let database: ConnectionConfiguration
    let connection: Connection

    static let person = #"{"customer_type": "Person", "email": "ada@example.com", "external_id": "user-42"}"#
    static let connect = #"{"basicData": {}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#
    static let business =
        #"{"partner_customer_id": "partner-0000000000001", "business_details": {}, "registration_address": {}}"#

    /// Runs statements for their effect.
    func run(_ script: String) async throws {
        try await connection.run(script: script)
    }

    /// The value of one SQL expression, as PostgreSQL prints it.
    func value(_ expression: String) async throws -> String? {
        try await connection.query(Statement("SELECT (\(expression))::text"))[0].decode(String?.self, at: 0)
    }

    /// Puts `count` jobs of `kind` in.
    func enqueue(_ kind: String = "iron.customer.create", _ payload: String = person, count: Int = 1) async throws {
        try await run(
            "INSERT INTO onboarding.jobs (kind, payload) SELECT '\(kind)', '\(payload)' FROM generate_series(1, \(count))"
        )
    }

    /// How many jobs are in each state, as `state=count` in the states' order.
    func states() async throws -> String {
        try await value(
            "SELECT string_agg(s.state || '=' || s.n, ' ' ORDER BY s.state) FROM (SELECT state, count(*) AS n "
                + "FROM onboarding.jobs GROUP BY state) s") ?? ""
    }

    /// Waits until the boolean SQL expression holds, for at most `limit`.
    func until(
        _ expression: String, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let end = ContinuousClock.now + limit
        while try await value(expression) != "true" {
            guard ContinuousClock.now < end else {
                let states = try await states()
                Issue.record("never became true: \(expression); \(states)", sourceLocation: sourceLocation)
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// A worker over `caller`, with figures that suit tests.
    func daemon(
        _ caller: any ProviderCaller, registry: Registry = .shipped, untilIdle: Bool = false,
        _ change: (inout WorkerConfiguration) -> Void = { _ in }
    ) -> Daemon {
        var configuration = WorkerConfiguration(providers: registry.names)
        configuration.pollInterval = .milliseconds(100)
        configuration.endsWhenIdle = untilIdle
        configuration.drainTimeout = .seconds(5)
        configuration.longestCall = .zero
        change(&configuration)
        return Daemon(
            registry: registry, configuration: configuration, database: database, caller: caller,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            newWorkerID: { WorkerID("worker-\(UInt64.random(in: 0...UInt64.max))") })
    }

    /// Works the queue empty.
    func drain(
        _ caller: any ProviderCaller, registry: Registry = .shipped,
        _ change: (inout WorkerConfiguration) -> Void = { _ in }
    ) async throws {
        try await daemon(caller, registry: registry, untilIdle: true, change).run()
    }

    /// Runs `workers` while `body` runs, then shuts them down gracefully and waits for their end.
    func with(_ workers: [Daemon], _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: workers.map { .init(service: $0) },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            var failure: (any Error)?
            do { try await body() } catch { failure = error }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            if let failure { throw failure }
        }
    }
}

/// Gives `body` a bench of its own.
func withBench(_ body: (Bench) async throws -> Void) async throws {
    try await withTestDatabase { connectionString in
        let database = ConnectionConfiguration(connectionString: connectionString)
        let connection = try await Connection.open(database)
        do {
            // Long enough for what tests let come late, and no longer than a test should wait.
            try await connection.run(script: "UPDATE onboarding.providers SET effect_horizon = '1 s'")
            try await body(Bench(database: database, connection: connection))
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }
}
