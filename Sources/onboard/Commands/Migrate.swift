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
        if let refusal = standing.refusal { throw refusal }
        if let notice = standing.notice {
            return try Terminal.show("The database's schema is left as it is: \(notice).")
        }
        if check {
            if let work = standing.work { throw Failure(.answerIsNo, work) }
            return try Terminal.show("The schema is up to date at version \(SchemaMigrator.newest).")
        }
        let (changes, repairs) = try await database.withConnection { connection throws(PostgresError) in
            let migrator = SchemaMigrator(connection) { Terminal.complain(["onboard: \($0)"]) }
            return (try await migrator.migrate(), try await migrator.repair())
        }
        try Terminal.show(repairs.map { "Repaired after a restore: \($0)." })
        try Terminal.show(changes.sentence)
    }
}

extension SchemaMigrator.Changes {
    /// What was done, for a person.
    var sentence: String {
        guard !isEmpty else { return "The schema is up to date at version \(SchemaMigrator.newest)." }
        return "Ran \(migrations.count) migrations, replaced \(replaced.count) functions, views, triggers and grants, "
            + "dropped \(dropped.count), and wrote the rows of \(kinds.count) kinds; the schema is at version \(SchemaMigrator.newest)."
    }
}

extension SchemaMigrator.Standing {
    /// Why nothing can work with this schema, and what to do; nil where something can.
    var refusal: Failure? {
        switch self {
        case .newer(isBreaking: true):
            Failure(
                .wrongConfiguration,
                "the database's schema is of a later onboard, and this program cannot work with it: run a newer onboard"
            )
        case .incomplete(let missing):
            Failure(
                .wrongConfiguration,
                "the database's schema was restored in part and lacks \(Self.list(missing)): restore the whole schema "
                    + "onboarding into a database without it, or its data alone into a migrated one")
        default: nil
        }
    }

    /// What is worth telling where everything works; nil for nothing.
    var notice: String? {
        guard case .newer(isBreaking: false) = self else { return nil }
        return "it is of a later onboard, and this program can work with it"
    }

    /// Whether a worker can do without what `onboard migrate` has to do: a newer program may have written the rows.
    var letsWork: Bool { if case .withOtherKinds = self { true } else { work == nil } }

    /// What `onboard migrate` has to do; nil for nothing.
    var work: String? {
        switch self {
        case .behind(let missing):
            "the schema lacks the migrations \(Self.list(missing.map(String.init))): run `onboard migrate`"
        case .outdated(let names):
            "of the schema \(Self.list(names)) differ from this program's: run `onboard migrate`"
        case .withoutRights(let roles):
            "the schema was restored without the rights of \(Self.list(roles)): run `onboard migrate`"
        case .withoutKinds(let kinds): "the database does not know \(Self.list(kinds)): run `onboard migrate`"
        case .withOtherKinds(let kinds): "the database's rules of \(Self.list(kinds)) are others: run `onboard migrate`"
        default: nil
        }
    }

    private static func list(_ names: [String]) -> String {
        names.count > 20
            ? names.prefix(3).joined(separator: ", ") + " and \(names.count - 3) more"
            : names.joined(separator: ", ")
    }
}
