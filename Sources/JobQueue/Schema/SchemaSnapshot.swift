import SQLCatalog

/// What the migrations make, read from the snapshot: the names of its objects, and who may do what with them.
enum SchemaSnapshot {
    /// The names of tables, views, sequences, indexes, functions, constraints and triggers.
    ///
    /// The first partitions are left out: retention drops them.
    static let objects: Set<String> = Set(
        SQLCatalog.snapshot.split(separator: "\n").compactMap(object).filter { !$0.contains("_first") })

    /// The roles that may use the schema.
    static let roles: Set<String> = Set(
        rights.compactMap {
            $0.wholeMatch(of: /GRANT USAGE ON SCHEMA onboarding TO (\w+);/).map { String($0.output.1) }
        })

    /// The statements that grant and revoke rights, each of which may be run again.
    static let rights: [String] = SQLCatalog.snapshot.split(separator: "\n").map(String.init).filter {
        ($0.hasPrefix("GRANT ") || $0.hasPrefix("REVOKE ")) && !$0.contains("_first ")
    }

    /// What a line makes. In a function's body none of these begins a line so.
    private static func object(_ line: Substring) -> String? {
        let made =
            /^CREATE (?:TABLE|VIEW|SEQUENCE|FUNCTION|INDEX|UNIQUE INDEX|TRIGGER|CONSTRAINT TRIGGER) (?:onboarding\.)?(\w+)/
        let constraint = /^ +(?:ADD )?CONSTRAINT (\w+) (?:CHECK|PRIMARY KEY|FOREIGN KEY|UNIQUE)/
        let identity = /^ +SEQUENCE NAME onboarding\.(\w+)/
        let name =
            line.firstMatch(of: made)?.output.1 ?? line.firstMatch(of: constraint)?.output.1
            ?? line.firstMatch(of: identity)?.output.1
        return name.map(String.init)
    }
}
