import SQLCatalog

/// The names that a whole schema has, read from the files of `sql/`.
enum SchemaNames {
    /// The names of tables, sequences, indexes, constraints, functions, views and triggers.
    ///
    /// The first partitions are left out: retention drops them.
    static let objects: Set<String> = {
        // Made once: to compile an expression takes longer than to match it.
        let made =
            /(?:CREATE TABLE|CREATE SEQUENCE|CREATE INDEX|CREATE UNIQUE INDEX|SEQUENCE NAME|CONSTRAINT) (?:onboarding\.)?(\w+)/
        let removed = /DROP (?:TABLE|SEQUENCE|INDEX|CONSTRAINT) (?:IF EXISTS )?(?:onboarding\.)?(\w+)/
        var names: Set<String> = []
        for migration in SQLCatalog.migrations {
            for line in migration.sql.split(separator: "\n") where !line.hasPrefix("--") {
                for match in line.matches(of: removed) { names.remove(String(match.output.1)) }
                for match in line.matches(of: made) { names.insert(String(match.output.1)) }
            }
        }
        return names.filter { !$0.hasSuffix("_first") }.union(SQLCatalog.sources.map(\.name))
    }()

    /// The roles that may use the schema.
    static let roles: Set<String> = {
        let line = SQLCatalog.grants.split(separator: "\n").first {
            $0.hasPrefix("GRANT USAGE ON SCHEMA onboarding TO ")
        }
        let words = (line ?? "").split { !($0.isLetter || $0.isNumber || $0 == "_") }
        return Set(words.map(String.init).filter { $0.hasPrefix("onboarding_") })
    }()
}
