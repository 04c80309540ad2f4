/// A function, view or trigger in the file of its name, which can be replaced at any time.
package struct Source: Sendable {
    /// What a file makes.
    package enum Kind: Sendable, Equatable {
        /// `CREATE OR REPLACE FUNCTION`.
        case function
        /// `CREATE OR REPLACE VIEW`.
        case view
        /// A trigger on this table, which is dropped before it is made again: constraint triggers cannot be replaced.
        case trigger(table: String)
    }

    /// Its name, and that of its file.
    package let name: String
    /// What the file makes.
    package let kind: Kind
    /// The text of the file.
    package let sql: String
    /// The names of the schema's objects that the text has.
    package let references: Set<String>

    /// Nil for a file that is no source: migrations, queries and grants.
    package init?(path: String, sql: String) {
        let parts = path.split(separator: "/")
        guard parts.count == 2, parts[0] != "migrations", parts[0] != "queries" else { return nil }
        name = String(parts[1].dropLast(".sql".count))
        // In a header and a body no line begins with CREATE.
        let lines = sql.split(separator: "\n").drop { !$0.hasPrefix("CREATE ") }
        if lines.first?.hasPrefix("CREATE OR REPLACE FUNCTION ") == true {
            kind = .function
        } else if lines.first?.hasPrefix("CREATE OR REPLACE VIEW ") == true {
            kind = .view
        } else {
            let words = lines.joined(separator: " ").split(separator: " ")
            kind = .trigger(table: words.firstIndex(of: "ON").map { String(words[$0 + 1]) } ?? "")
        }
        self.sql = sql
        references = Set(
            sql.split(separator: "onboarding.", omittingEmptySubsequences: false).dropFirst().map { rest in
                String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
            })
    }

    /// The sources in an order in which each comes after those that it names, as far as they do not name each other.
    package static func ordered(_ sources: [Source]) -> [Source] {
        let byName = Dictionary(sources.map { ($0.name, $0) }) { first, _ in first }
        var ordered: [Source] = []
        var seen: Set<String> = []
        func add(_ source: Source) {
            guard seen.insert(source.name).inserted else { return }
            for name in source.references.sorted() { byName[name].map(add) }
            ordered.append(source)
        }
        sources.forEach(add)
        return ordered
    }
}
