package import JobModel
package import Postgres
import SQLCatalog

/// What operators see and do, over the same SQL functions that callers use.
///
/// All methods throw `PostgresError`; refusals of the functions carry their sentence.
package struct OperatorDesk: Sendable {
    /// Rows of text under names, as they are shown.
    package struct Table: Sendable, Equatable {
        /// The names of the columns.
        package var columns: [String]
        /// The rows; every value is text.
        package var rows: [[String]]
    }

    private let connection: Connection

    /// Works over `connection`.
    package init(_ connection: Connection) {
        self.connection = connection
    }

    /// The queue's state, a row a provider.
    package func status() async throws(PostgresError) -> Table { try await table("status") }

    /// Counts that need a person's attention, each with the statement that shows the rows; empty if there are none.
    package func needsPerson() async throws(PostgresError) -> Table { try await table("needs_person") }

    /// Jobs, newest first, at most `limit`; a filter that is nil lets all through.
    package func jobs(
        state: String?, kind: String?, reference: String?, limit: Int
    ) async throws(PostgresError) -> Table {
        try await table("jobs_list", [.text(state), .text(kind), .text(reference), .integer(limit)])
    }

    /// A job's own row without payload and key; empty where there is no such job.
    package func job(_ id: JobID) async throws(PostgresError) -> Table {
        try await table("job_show", [.bigint(id.value)])
    }

    /// A job's journal.
    package func attempts(of id: JobID) async throws(PostgresError) -> Table {
        try await table("job_attempts", [.bigint(id.value)])
    }

    /// A job's changes of state.
    package func transitions(of id: JobID) async throws(PostgresError) -> Table {
        try await table("job_transitions", [.bigint(id.value)])
    }

    /// Why a job is not running now.
    package func why(_ id: JobID) async throws(PostgresError) -> Table {
        try await table("job_why", [.bigint(id.value)])
    }

    /// Cancels a job; returns its state afterwards.
    package func cancel(_ id: JobID, reason: String?) async throws(PostgresError) -> String {
        try await table("job_cancel", [.bigint(id.value), .text(reason)]).rows[0][0]
    }

    /// Makes a failed or cancelled job available again, with a corrected payload if one is given. Returns how many jobs were
    /// cancelled with it; `withDependents` lets those wait for it again.
    package func retry(
        _ id: JobID, reason: String?, payload: String?, withDependents: Bool = false
    ) async throws(PostgresError) -> Int {
        let table = try await table(
            "job_retry", [.bigint(id.value), .text(reason), .text(payload), .boolean(withDependents)])
        return Int(table.rows[0][0]) ?? 0
    }

    /// Ends the doubt about an uncertain job; returns its state afterwards.
    package func resolve(
        _ id: JobID, verdict: String, providerID: String?, note: String?
    ) async throws(PostgresError) -> String {
        try await table("job_resolve", [.bigint(id.value), .text(verdict), .text(providerID), .text(note)]).rows[0][0]
    }

    /// Resolves many uncertain jobs. Returns one row for each verdict: the job and its new state, or the problem.
    ///
    /// - Parameter verdicts: a JSON array of objects with `job_id`, `verdict` and `provider_id`.
    package func resolve(verdicts: String, note: String?) async throws(PostgresError) -> Table {
        try await table("jobs_resolve", [.text(verdicts), .text(note)])
    }

    /// Limits and state of the providers.
    package func providers() async throws(PostgresError) -> Table { try await table("providers_list") }

    /// Stops claiming a provider's jobs, for a while or until resumed.
    package func pause(_ provider: String, reason: String?, duration: Duration?) async throws(PostgresError) {
        _ = try await table("provider_pause", [.text(provider), .text(reason), .bigint(duration?.milliseconds)])
    }

    /// Lets a provider's jobs be claimed again.
    package func resume(_ provider: String) async throws(PostgresError) {
        _ = try await table("provider_resume", [.text(provider)])
    }

    /// Changes the limits that are given; those that `unlimited` names are taken away.
    package func limit(
        _ provider: String, maxInFlight: Int?, ratePerSecond: Double?, burst: Int?, unlimited: [String]
    ) async throws(PostgresError) {
        _ = try await table(
            "provider_limit",
            [
                .text(provider), .integer(maxInFlight), .double(ratePerSecond), .integer(burst),
                .texts(unlimited),
            ])
    }

    private func table(_ query: String, _ parameters: [Parameter] = []) async throws(PostgresError) -> Table {
        let rows = try await connection.query(Statement(SQLCatalog.query(query), parameters: parameters))
        var table = Table(columns: rows.columns, rows: [])
        for row in rows {
            var values: [String] = []
            for column in rows.columns.indices { values.append(try row.decode(String?.self, at: column) ?? "") }
            table.rows.append(values)
        }
        return table
    }
}
