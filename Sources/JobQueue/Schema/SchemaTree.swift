package import SQLCatalog

/// The parts of a schema, and the names of the objects of a complete one.
package struct SchemaTree: Sendable {
    /// The order of its functions, views and triggers among releases.
    package let revision: Int
    /// The steps of its tables, oldest first.
    package let migrations: [Migration]
    /// Its functions, views and triggers, each after those that it names.
    package let sources: [Source]
    /// The statements that give all rights.
    package let grants: String
    /// The names of tables, sequences, indexes, constraints, functions, views and triggers.
    ///
    /// The first partitions are left out: retention drops them.
    let objects: Set<String>
    /// The roles that may use the schema.
    let roles: Set<String>

    /// That of this program, from the files of `sql/`.
    package static let embedded = SchemaTree(
        revision: SQLCatalog.revision, migrations: SQLCatalog.migrations, sources: SQLCatalog.sources,
        grants: SQLCatalog.grants)

    /// Reads the names from the texts.
    package init(revision: Int, migrations: [Migration], sources: [Source], grants: String) {
        self.revision = revision
        self.migrations = migrations
        self.sources = sources
        self.grants = grants
        objects = Self.names(migrations).union(sources.map(\.name))
        roles = Self.roles(grants)
    }

    /// The newest migration.
    package var version: Int { migrations.last?.version ?? 0 }

    private static func names(_ migrations: [Migration]) -> Set<String> {
        // Made once: to compile an expression takes longer than to match it.
        let made =
            /(?:CREATE TABLE|CREATE SEQUENCE|CREATE INDEX|CREATE UNIQUE INDEX|SEQUENCE NAME|CONSTRAINT) (?:onboarding\.)?(\w+)/
        let removed = /DROP (?:TABLE|SEQUENCE|INDEX|CONSTRAINT) (?:IF EXISTS )?(?:onboarding\.)?(\w+)/
        var names: Set<String> = []
        for migration in migrations {
            for line in migration.sql.split(separator: "\n") where !line.hasPrefix("--") {
                for match in line.matches(of: removed) { names.remove(String(match.output.1)) }
                for match in line.matches(of: made) where !line.contains("DROP CONSTRAINT") {
                    names.insert(String(match.output.1))
                }
            }
        }
        return names.filter { !$0.hasSuffix("_first") }
    }

    private static func roles(_ grants: String) -> Set<String> {
        let line = grants.split(separator: "\n").first { $0.hasPrefix("GRANT USAGE ON SCHEMA onboarding TO ") }
        let words = (line ?? "").split { !($0.isLetter || $0.isNumber || $0 == "_") }
        return Set(words.map(String.init).filter { $0.hasPrefix("onboarding_") })
    }
}
