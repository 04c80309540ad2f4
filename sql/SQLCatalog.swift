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
    ]

    /// The statements that the rooms run, by the name of their file.
    package static let queries: [String: String] = [
        "schema_version": text(PackageResources.schema_version_sql)
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
