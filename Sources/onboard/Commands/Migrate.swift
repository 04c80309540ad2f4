import ArgumentParser
import JobQueue
import Postgres

/// `onboard migrate`: brings the schema up to date.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database's schema up to date; safe to run many times at once.")

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "Only tell whether there is work to do: exit code 1 if so.")
    var check = false

    func run() async throws {
        let standing = try await database.withConnection { connection throws(PostgresError) in
            try await SchemaMigrator(connection).standing()
        }
        switch standing {
        case .current:
            print("The schema is up to date at version \(SchemaMigrator.newest).")
        case .newer(let version):
            throw Failure(
                .wrongConfiguration,
                "the database's schema has version \(version), newer than this program's \(SchemaMigrator.newest): run a newer onboard"
            )
        case .behind(let missing):
            let list = missing.map(String.init).joined(separator: ", ")
            if check { throw Failure(.answerIsNo, "the schema lacks the migrations \(list): run `onboard migrate`") }
            let done = try await database.withConnection { connection throws(PostgresError) in
                try await SchemaMigrator(connection).migrate()
            }
            print("Ran \(done.count) migrations; the schema is at version \(SchemaMigrator.newest).")
        }
    }
}
