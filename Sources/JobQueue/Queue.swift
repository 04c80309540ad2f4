package import Postgres
import SQLCatalog

/// The queue in the database, as one worker sees it. Every call is one short statement.
///
/// All methods throw `PostgresError`; none retries. A call that is cancelled may or may not have
/// taken effect: claims that were lost that way are found by `takeOver`.
package struct Queue: Sendable {
    let pool: Pool

    /// Works over `pool`, which the caller runs and shuts down.
    package init(pool: Pool) {
        self.pool = pool
    }

    func run(
        _ query: String, _ parameters: [Parameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await pool.query(
            Statement(SQLCatalog.query(query), name: query, parameters: parameters), timeout: timeout)
    }

    func value<T: ColumnDecodable>(
        _ query: String, _ parameters: [Parameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> T {
        try await run(query, parameters, timeout: timeout)[0].decode(T.self, at: 0)
    }
}
