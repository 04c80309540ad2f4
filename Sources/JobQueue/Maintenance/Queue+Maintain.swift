package import Postgres
import SQLCatalog

/// What one turn of maintenance did.
package struct MaintenanceReport: Sendable, Equatable {
    /// Partitions of the history that were made ahead.
    package let partitionsMade: Int
    /// Partitions whose age is over the one that history is kept for.
    package let partitionsDropped: Int
    /// Finished jobs whose age is over the one that their kind is kept for.
    package let jobsDeleted: Int
}

/// A step of maintenance that fails, turn after turn.
package struct UpkeepFailure: Sendable, Hashable {
    /// What fails, and what it concerns.
    package let step: String
    /// Since when, in UTC.
    package let since: String
    /// The SQLSTATE of the last error. Its text stays in the database.
    package let code: String
}

/// Whether the schema is that of a later program.
package enum SchemaAge: Sendable, Equatable {
    /// It is this program's, or of one before it.
    case known
    /// It is a later program's, with which this one can work.
    case newer
    /// It is a later program's, with which this one cannot work.
    case breaking
}

extension Queue {
    /// Compares the schema with this program's, as far as it concerns one that works already.
    package func schemaAge() async throws(PostgresError) -> SchemaAge {
        let row = try await run(
            "newer_schema", [.integer(SchemaMigrator.newest), .integer(SQLCatalog.revision)])[0]
        guard try row.decode(Bool.self, at: 0) else { return .known }
        return try row.decode(Bool.self, at: 1) ? .breaking : .newer
    }

    /// Makes partitions ahead, drops old ones and deletes up to `jobs` old finished jobs; nil when another worker is
    /// at it or was within the last ten seconds.
    package func maintain(jobs: Int) async throws(PostgresError) -> MaintenanceReport? {
        let rows = try await run("maintain", [.integer(jobs)])
        guard let row = rows.first, let made = try row.decode(Int?.self, at: 0) else { return nil }
        return MaintenanceReport(
            partitionsMade: made, partitionsDropped: try row.decode(Int.self, at: 1),
            jobsDeleted: try row.decode(Int.self, at: 2))
    }

    /// The steps that failed in the last turn of maintenance.
    package func upkeepFailures() async throws(PostgresError) -> [UpkeepFailure] {
        try await run("upkeep_failures", []).map { row throws(PostgresError) in
            UpkeepFailure(
                step: try row.decode(String.self, at: 0), since: try row.decode(String.self, at: 1),
                code: try row.decode(String.self, at: 2))
        }
    }

    /// Counts the jobs that wait where there are more than each look at `queue_health` counts; at most once a minute.
    package func countBacklog() async throws(PostgresError) {
        _ = try await run("count_backlog", [])
    }
}
