/// One forward-only step of the schema, `migrations/NNNN_name.sql`. A released file is never edited.
package struct Migration: Sendable {
    /// Its place in the order; the file's number.
    package let version: Int
    /// What it brings; the rest of the file's name.
    package let name: String
    /// Whether programs that do not know it must stop, as the file's first line says.
    package let isBreaking: Bool
    /// The text: many statements, to be run in one transaction.
    package let sql: String

    /// Nil for a file that is no migration.
    package init?(path: String, sql: String) {
        guard path.hasPrefix("migrations/"), let file = path.split(separator: "/").last,
            let version = Int(file.prefix(4))
        else { return nil }
        self.version = version
        self.name = String(file.dropFirst(5).dropLast(4))
        // A file that says nothing is taken for breaking: stopping a program is the safer mistake.
        self.isBreaking = !sql.hasPrefix("-- Breaking: no.\n")
        self.sql = sql
    }
}
