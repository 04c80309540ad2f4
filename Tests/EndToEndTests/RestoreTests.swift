import Foundation
import Postgres
import TestKit
import Testing

/// A database that moves to another server, as operators do it, with the commands that follow.
@Suite(.serialized) struct RestoreTests {
    @Test(.timeLimit(.minutes(3)))
    func `a restored database asks for what it lacks, goes on, and sends nothing twice`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(10))
            #expect(try await stage.work(["--until-idle"]).ended().exitCode == 0)
            try await stage.run(Load.allKinds(5, prefix: "later"))
            let dump = try await PostgresTools.dump(stage.databaseURL, ["-Fc"])

            // A server that has none of the roles.
            let server = try PostgresServer(settings: ["fsync = off"])
            try await server.start()
            let whole = try await Self.database("whole", on: server)
            let errors = try await PostgresTools.restore(dump, into: whole)
            #expect(!errors.isEmpty && errors.allSatisfy { $0.contains("role \"onboarding_") })
            let refused = try await Self.run(stage, whole, ["work", "--until-idle"])
            #expect(refused.exitCode == 78)
            #expect(
                refused.errors.contains("restored without the rights") && refused.errors.contains("onboard migrate"))
            #expect(try await Self.run(stage, whole, ["migrate", "--check"]).exitCode == 1)
            #expect(try await Self.run(stage, whole, ["migrate"]).exitCode == 0)
            let worked = try await Self.run(stage, whole, ["work", "--until-idle"])
            #expect(worked.exitCode == 0, "\(worked.errors.suffix(2000))")
            #expect(try stage.simulator.effects().count == 75)

            // The data alone of what is done by now, without the numbers that were given out.
            let done = try await PostgresTools.dump(whole, ["-Fc"])
            let migrated = try await Self.database("migrated", on: server)
            #expect(try await Self.run(stage, migrated, ["migrate"]).exitCode == 0)
            #expect(try await PostgresTools.restore(done, into: migrated, ["--data-only", "--table=jobs"]) == [])
            let again = try await Self.run(stage, migrated, ["work", "--until-idle"])
            #expect(again.exitCode == 0 && again.errors.contains("jobs_id_seq"), "\(again.errors.suffix(2000))")
            #expect(
                try await Self.value(migrated, "count(*) FILTER (WHERE state = 'completed' AND attempt = 1)") == "75")
            #expect(try stage.simulator.effects().count == 75)
            #expect(try stage.simulator.keysWithSeveralEffects() == [])

            // Its schema alone.
            let empty = try await Self.database("empty", on: server)
            #expect(try await PostgresTools.restore(done, into: empty, ["--schema-only"]) == [])
            for command in [["migrate"], ["work", "--until-idle"]] {
                let ended = try await Self.run(stage, empty, command)
                #expect(ended.exitCode == 78 && ended.errors.contains("restored in part"), "\(ended.errors)")
                #expect(ended.errors.split(separator: "\n").count == 1)
            }
            try await server.stop(.immediate)
        }
    }

    /// Makes an empty database and returns its connection string.
    private static func database(_ name: String, on server: PostgresServer) async throws -> String {
        var string = try server.connectionString
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        try await connection.run(script: "CREATE DATABASE \(name) TEMPLATE template0")
        await connection.close()
        string["dbname"] = name
        return string.keywordForm
    }

    /// The value of an expression over the jobs of a database.
    private static func value(_ url: String, _ expression: String) async throws -> String {
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: url))
        let rows = try await connection.query(Statement("SELECT (\(expression))::text FROM onboarding.jobs"))
        await connection.close()
        return try rows[0].decode(String.self, at: 0)
    }

    private static func run(_ stage: Stage, _ url: String, _ arguments: [String]) async throws -> Program.Ended {
        let environment = stage.environment.merging(["ONBOARD_DATABASE_URL": url]) { $1 }
        return try await Program.run("onboard", arguments, environment: environment)
    }
}
