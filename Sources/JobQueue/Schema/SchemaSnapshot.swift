import SQLCatalog

/// What the migrations make, read from the snapshot: the names of its objects, and who may do what with them.
enum SchemaSnapshot {
    /// The names of tables, views, sequences, indexes, functions, constraints and triggers.
    ///
    /// The first partitions are left out: retention drops them. So are the wake-up sequences, which come with the providers.
    static let objects: Set<String> = {
        // Made once: to compile an expression takes longer than to match it against all lines.
        let made =
            /CREATE (?:TABLE|VIEW|SEQUENCE|FUNCTION|INDEX|UNIQUE INDEX|TRIGGER|CONSTRAINT TRIGGER) (?:onboarding\.)?(\w+)/
        let constraint = /[ ]+(?:ADD )?CONSTRAINT (\w+) (?:CHECK|PRIMARY KEY|FOREIGN KEY|UNIQUE)/
        let identity = /[ ]+SEQUENCE NAME onboarding\.(\w+)/
        // In a function's body no line begins with one of these.
        let names = SQLCatalog.snapshot.split(separator: "\n").compactMap { line in
            switch line.first {
            case "C": line.prefixMatch(of: made)?.output.1
            case " ": line.prefixMatch(of: constraint)?.output.1 ?? line.prefixMatch(of: identity)?.output.1
            default: nil
            }
        }
        return Set(names.map(String.init).filter { !$0.contains("_first") && !$0.hasPrefix("last_wakeup_") })
    }()

    /// The roles that may use the schema.
    static let roles: Set<String> = Set(
        rights.compactMap {
            $0.wholeMatch(of: /GRANT USAGE ON SCHEMA onboarding TO (\w+);/).map { String($0.output.1) }
        })

    /// The statements that grant and revoke rights, each of which may be run again.
    static let rights: [String] = SQLCatalog.snapshot.split(separator: "\n").map(String.init).filter {
        ($0.hasPrefix("GRANT ") || $0.hasPrefix("REVOKE ")) && !$0.contains("_first ")
    }
}
