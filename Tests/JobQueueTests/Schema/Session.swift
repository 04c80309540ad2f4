import Postgres
import TestKit
import Testing

/// One session of a test, in the manner of PostgreSQL's isolation specs: it has a name in the test
/// and runs one statement at a time.
struct Session: Sendable {
    let connection: Connection

    /// Runs statements for their effect.
    func run(_ script: String) async throws {
        try await connection.run(script: script)
    }

    /// The value of one SQL expression, as PostgreSQL prints it.
    func value(_ expression: String) async throws -> String? {
        let rows = try await connection.query(Statement("SELECT (\(expression))::text"))
        return try rows[0].decode(String?.self, at: 0)
    }

    /// The values of a one-column query, as PostgreSQL prints them.
    func column(_ query: String) async throws -> [String?] {
        let rows = try await connection.query(Statement("SELECT (q.*)::text FROM (\(query)) AS q (value)"))
        return try rows.map { try $0.decode(String?.self, at: 0)?.trimmingParentheses() }
    }

    /// The ids that a query of one column brings.
    func ids(_ query: String) async throws -> [Int] {
        try await column(query).compactMap { $0.flatMap { Int($0) } }
    }

    /// The error that the statements end with; records an issue when there is none.
    func error(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) async -> PostgresError? {
        do throws(PostgresError) {
            try await connection.run(script: script)
            Issue.record("no error came from: \(script)", sourceLocation: sourceLocation)
            return nil
        } catch {
            return error
        }
    }
}

extension String {
    fileprivate func trimmingParentheses() -> String { String(dropFirst().dropLast()) }
}

/// Runs `body` with `count` sessions on a fresh, migrated database.
func withSessions(_ count: Int = 1, _ body: ([Session]) async throws -> Void) async throws {
    try await withTestDatabase { connectionString in
        try await withSessions(count, on: connectionString, body)
    }
}

/// Runs `body` with `count` sessions on the database.
func withSessions(_ count: Int, on connectionString: String, _ body: ([Session]) async throws -> Void) async throws {
    var sessions: [Session] = []
    for _ in 0..<count {
        sessions.append(
            Session(
                connection: try await Connection.open(ConnectionConfiguration(connectionString: connectionString))))
    }
    do {
        try await body(sessions)
    } catch {
        for session in sessions { await session.connection.close() }
        throw error
    }
    for session in sessions { await session.connection.close() }
}

/// Statements that stand for callers and workers in the tests of the schema.
enum SQL {
    static let person = #"{"customer_type": "Person", "email": "ada@example.com", "external_id": "user-42"}"#
    static let connect = #"{"basicData": {}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#
    static let business =
        #"{"partner_customer_id": "partner-0000000000001", "business_details": {}, "registration_address": {}}"#

    static func enqueue(_ kind: String = "iron.customer.create", _ payload: String = person, _ more: String = "")
        -> String
    {
        "SELECT onboarding.enqueue('\(kind)', '\(payload)'\(more.isEmpty ? "" : ", " + more));"
    }

    /// A worker whose lease lasts an hour unless said otherwise.
    static func worker(
        _ name: String, providers: String = "iron,connect,axisfi,juicyway", leaseMilliseconds: Int = 3_600_000
    ) -> String {
        "SELECT onboarding.register_worker('\(name)', 'host', '0', 8, '{\(providers)}', \(leaseMilliseconds));"
    }

    static func claim(_ worker: String, _ provider: String = "iron", _ wanted: Int = 100) -> String {
        "SELECT id FROM onboarding.claim('\(worker)', '\(provider)', \(wanted), 100000000, 100000000, 3600000) WHERE id IS NOT NULL"
    }

    /// A claim of Iron's as workers make it: when its turn has come.
    static func claimInTurn(_ worker: String, _ wanted: Int) -> String {
        """
        SELECT id FROM onboarding.claim_turn('iron', \(wanted)) AS turn (wanted)
        CROSS JOIN LATERAL onboarding.claim('\(worker)', 'iron', turn.wanted, 100000000, 100000000, 3600000)
        """
    }

    /// Completes job `id` of `worker` with the token that the claim gave it. `*` in the provider's id stands for the job's.
    static func complete(
        _ worker: String, _ id: Int, token: String? = nil, outcome: String = "succeeded", state: String = "completed",
        nextStep: String = "create", delay: Int = 0, counted: Bool = true, reached: Bool? = nil, proven: Bool = false,
        rotates: Bool = false, providerID: String? = "provider-*", hold: Int? = nil, step: String = "create",
        status: Int? = 201, mute: Int? = nil
    ) -> String {
        let token = token ?? "(SELECT claim_token FROM onboarding.jobs WHERE id = \(id))"
        let provider = providerID.map { "'\($0.replacing("*", with: "\(id)"))'" } ?? "NULL"
        let reached =
            reached ?? !["rejected", "not_found", "not_sent", "invalid_payload", "throttled"].contains(outcome)
        return """
            SELECT written FROM onboarding.complete(ARRAY[\(id)]::bigint[], ARRAY[\(token)]::bigint[],
                ARRAY['\(worker)'], ARRAY[now()::text], ARRAY[1]::smallint[], ARRAY['\(step)'], ARRAY['\(outcome)'], ARRAY['\(state)'],
                ARRAY['\(nextStep)'], ARRAY[\(delay)]::bigint[], ARRAY[\(counted)], ARRAY[\(reached)], ARRAY[\(proven)],
                ARRAY['\(rotates ? "new" : "same")'], ARRAY[\(mute.map(String.init) ?? "NULL")]::integer[],
                ARRAY[\(status.map(String.init) ?? "NULL")]::integer[], ARRAY[NULL]::text[], ARRAY[\(provider)]::text[], ARRAY['Active'], ARRAY[NULL]::text[],
                ARRAY['because'], ARRAY[5]::bigint[], ARRAY[\(hold.map(String.init) ?? "NULL")]::bigint[],
                ARRAY[(SELECT idempotency_key::text FROM onboarding.jobs WHERE id = \(id))], ARRAY['\\x00'::bytea], ARRAY[NULL]::bytea[])
            """
    }

    /// Writes the same end for everything that runs, or for other jobs, in one call.
    static func completeAll(
        _ worker: String, from jobs: String = "onboarding.jobs WHERE state = 'running'", outcome: String = "succeeded",
        state: String = "completed", hold: String = "NULL"
    ) -> String {
        func all(_ expression: String) -> String { "(SELECT array_agg(\(expression) ORDER BY id) FROM \(jobs))" }
        let columns = [
            "id", "claim_token", "'\(worker)'::text", "claimed_at::text", "attempt", "step", "'\(outcome)'::text",
            "'\(state)'::text",
            "'create'::text", "0::bigint", "true", "true", "false", "'same'::text", "NULL::integer", "201",
            "NULL::text",
            "('record-' || id)::text",
            "'Active'::text", "NULL::text", "'because'::text", "5::bigint", "\(hold)::bigint", "idempotency_key::text",
            "'\\x00'::bytea", "NULL::bytea",
        ]
        return "SELECT written FROM onboarding.complete(\(columns.map(all).joined(separator: ", ")))"
    }
}
