/// The schema and every statement of the project, embedded from the files beside this one.
///
/// Names and versions are mapped by hand, since the embedding flattens folders and shortens names
/// that begin with a digit; a test compares the catalogue with the folder.
package enum SQLCatalog {
    /// One forward-only step of the schema. A released file is never edited.
    package struct Migration: Sendable {
        /// Its place in the order; the file's number.
        package let version: Int
        /// What it brings; the rest of the file's name.
        package let name: String
        /// The text: many statements, to be run in one transaction.
        package let sql: String
    }

    /// All migrations, oldest first.
    package static let migrations: [Migration] = [
        Migration(version: 1, name: "tables", sql: text(PackageResources._001_tables_sql)),
        Migration(version: 2, name: "enqueue", sql: text(PackageResources._002_enqueue_sql)),
        Migration(version: 3, name: "claims", sql: text(PackageResources._003_claims_sql)),
        Migration(version: 4, name: "completion", sql: text(PackageResources._004_completion_sql)),
        Migration(version: 5, name: "operations", sql: text(PackageResources._005_operations_sql)),
        Migration(version: 6, name: "views", sql: text(PackageResources._006_views_sql)),
        Migration(version: 7, name: "roles", sql: text(PackageResources._007_roles_sql)),
        Migration(version: 8, name: "history", sql: text(PackageResources._008_history_sql)),
        Migration(version: 9, name: "fences", sql: text(PackageResources._009_fences_sql)),
        Migration(version: 10, name: "wakeups", sql: text(PackageResources._010_wakeups_sql)),
        Migration(version: 11, name: "running", sql: text(PackageResources._011_running_sql)),
        Migration(version: 12, name: "turns", sql: text(PackageResources._012_turns_sql)),
        Migration(version: 13, name: "keys", sql: text(PackageResources._013_keys_sql)),
        Migration(version: 14, name: "counts", sql: text(PackageResources._014_counts_sql)),
        Migration(version: 15, name: "readers", sql: text(PackageResources._015_readers_sql)),
        Migration(version: 16, name: "plans", sql: text(PackageResources._016_plans_sql)),
        Migration(version: 17, name: "effects", sql: text(PackageResources._017_effects_sql)),
        Migration(version: 18, name: "locks", sql: text(PackageResources._018_locks_sql)),
        Migration(version: 19, name: "limits", sql: text(PackageResources._019_limits_sql)),
        Migration(version: 20, name: "restores", sql: text(PackageResources._020_restores_sql)),
        Migration(version: 21, name: "upkeep", sql: text(PackageResources._021_upkeep_sql)),
    ]

    /// What the migrations make, as `pg_dump` prints it; a test holds it against them.
    package static let snapshot = text(PackageResources.schema_sql)

    /// The statements that the rooms run, by the name of their file.
    package static let queries: [String: String] = [
        "announce": text(PackageResources.announce_sql),
        "claim": text(PackageResources.claim_sql),
        "complete": text(PackageResources.complete_sql),
        "count_backlog": text(PackageResources.count_backlog_sql),
        "expire_jobs": text(PackageResources.expire_jobs_sql),
        "has_work": text(PackageResources.has_work_sql),
        "job_attempts": text(PackageResources.job_attempts_sql),
        "job_cancel": text(PackageResources.job_cancel_sql),
        "job_resolve": text(PackageResources.job_resolve_sql),
        "job_retry": text(PackageResources.job_retry_sql),
        "job_show": text(PackageResources.job_show_sql),
        "job_transitions": text(PackageResources.job_transitions_sql),
        "job_why": text(PackageResources.job_why_sql),
        "jobs_list": text(PackageResources.jobs_list_sql),
        "jobs_resolve": text(PackageResources.jobs_resolve_sql),
        "maintain": text(PackageResources.maintain_sql),
        "mark_sent": text(PackageResources.mark_sent_sql),
        "missing_wakeups": text(PackageResources.missing_wakeups_sql),
        "needs_person": text(PackageResources.needs_person_sql),
        "note_clock_jump": text(PackageResources.note_clock_jump_sql),
        "old_claims": text(PackageResources.old_claims_sql),
        "provider_limit": text(PackageResources.provider_limit_sql),
        "provider_pause": text(PackageResources.provider_pause_sql),
        "provider_resume": text(PackageResources.provider_resume_sql),
        "providers_list": text(PackageResources.providers_list_sql),
        "register_worker": text(PackageResources.register_worker_sql),
        "remove_worker": text(PackageResources.remove_worker_sql),
        "renew_lease": text(PackageResources.renew_lease_sql),
        "repair_blocked": text(PackageResources.repair_blocked_sql),
        "repair_ends": text(PackageResources.repair_ends_sql),
        "repair_order_keys": text(PackageResources.repair_order_keys_sql),
        "repair_restored": text(PackageResources.repair_restored_sql),
        "schema_objects": text(PackageResources.schema_objects_sql),
        "schema_version": text(PackageResources.schema_version_sql),
        "stale_kinds": text(PackageResources.stale_kinds_sql),
        "status": text(PackageResources.status_sql),
        "take_over": text(PackageResources.take_over_sql),
        "unlocked_jobs": text(PackageResources.unlocked_jobs_sql),
        "upkeep_failures": text(PackageResources.upkeep_failures_sql),
        "write_kinds": text(PackageResources.write_kinds_sql),
    ]

    /// The text of the query in the file `name`.
    ///
    /// A name without a file is a bug and traps; a test runs through all names.
    package static func query(_ name: String) -> String {
        guard let sql = queries[name] else { preconditionFailure("sql/queries has no \(name).sql") }
        return sql
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
