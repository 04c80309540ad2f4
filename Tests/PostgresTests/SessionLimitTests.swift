import NIOConcurrencyHelpers
import TestKit
import Testing

@testable import Postgres

/// Timeouts that a company has set for a role or a database, and what our sessions make of them.
@Suite(.timeLimit(.minutes(10))) struct SessionLimitTests {
    /// What would end a session or a statement of ours, and what it is set to while we work.
    private static let limits = [
        "idle_session_timeout": "0", "idle_in_transaction_session_timeout": "30s", "statement_timeout": "33s",
        "lock_timeout": "10s", "tcp_user_timeout": "10s",
    ]

    @Test(arguments: ["DATABASE %1$I", "ROLE %2$I IN DATABASE %1$I"])
    func `timeouts of a database or a role end neither a session nor a statement of ours`(place: String) async throws {
        try await withTestDatabase(migrated: false) { string in
            let configuration = ConnectionConfiguration(connectionString: string)
            let owner = try await Connection.open(configuration)
            for name in Self.limits.keys {
                let alter = "ALTER \(place) SET \(name) = ''300ms''"
                try await owner.run(
                    script: "DO $$ BEGIN EXECUTE format('\(alter)', current_database(), current_user); END $$")
            }
            await owner.close()
            // As others have them.
            let plain = try await Connection.open(
                ConnectionConfiguration(connectionString: string + " options='-c x.idle_session_timeout=1'"))
            let told = try await plain.query(Statement("SHOW idle_session_timeout"))
            #expect(try told[0].decode(String.self, at: 0) == "300ms", "the database's setting is in force")
            await plain.close()

            let reports = NIOLockedValueBox<[PostgresError]>([])
            let listener = Listener(configuration, channels: ["jobs"]) { error in
                reports.withLockedValue { $0.append(error) }
            }
            let running = Task { await listener.run() }
            let connection = try await Connection.open(configuration)
            for (name, value) in Self.limits where name != "tcp_user_timeout" {
                let rows = try await connection.query(Statement("SHOW \(name)"))
                #expect(try rows[0].decode(String.self, at: 0) == value, "\(name)")
            }
            _ = try await connection.query(Statement("SELECT pg_sleep(1)"))
            // Idle for longer than the database's limit, in a transaction and without one.
            try await connection.run(script: "BEGIN")
            try await Task.sleep(for: .seconds(1))
            try await connection.run(script: "COMMIT")
            try await Task.sleep(for: .seconds(1))
            try await connection.run(script: "NOTIFY jobs")
            var heard: [Notification] = []
            for await notification in listener.notifications {
                heard.append(notification)
                if notification != .reconnected { break }
            }
            #expect(heard == [.reconnected, .received(channel: "jobs", payload: "")])
            #expect(reports.withLockedValue { $0 } == [])
            await connection.close()
            running.cancel()
            await running.value
        }
    }

    @Test func `a limit of a whole transaction is lifted where the server knows one`() {
        let configuration = ConnectionConfiguration(connectionString: "")
        let newer = configuration.sessionScript(userOptions: "", serverVersion: 170_000)
        let older = configuration.sessionScript(userOptions: "", serverVersion: 160_009)
        #expect(newer.contains("SET transaction_timeout = '0'"))
        #expect(!older.contains("transaction_timeout"))
    }
}
