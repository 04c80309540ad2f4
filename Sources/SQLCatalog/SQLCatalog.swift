/// The schema and every statement of the project: the files of `sql/`, embedded by `EmbedSQLPlugin`.
///
/// A new file needs no other change. `sql/migrations` and `sql/queries` have their own meaning; every other folder is a topic, in
/// which each file makes one function, view or trigger of the file's name.
package enum SQLCatalog {
    /// The order of this program's functions, views and triggers among releases: a program never replaces those of a later one.
    ///
    /// Raised once per release that changes a file; `PreviousReleaseTests` asks for it.
    package static let revision = 1

    /// All migrations, oldest first.
    package static let migrations: [Migration] = embeddedFiles.keys.sorted().compactMap { path in
        Migration(path: path, sql: embeddedFiles[path, default: ""])
    }

    /// All functions, views and triggers, each after those that it names.
    package static let sources: [Source] = Source.ordered(
        embeddedFiles.keys.sorted().compactMap { path in Source(path: path, sql: embeddedFiles[path, default: ""]) })

    /// The rights of the group roles; run after every change of the sources.
    package static let grants: String = embeddedFiles["grants.sql", default: ""]

    /// The statements that the rooms run, by the name of their file.
    package static let queries: [String: String] = {
        let folder = "queries/"
        let files = embeddedFiles.filter { $0.key.hasPrefix(folder) }
        return Dictionary(
            uniqueKeysWithValues: files.map {
                (String($0.key.dropFirst(folder.count).dropLast(".sql".count)), $0.value)
            })
    }()

    /// The text of the query in the file `name`.
    ///
    /// A name without a file is a bug and traps; a test runs through all names.
    package static func query(_ name: String) -> String {
        guard let sql = queries[name] else { preconditionFailure("sql/queries has no \(name).sql") }
        return sql
    }
}
