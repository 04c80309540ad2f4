import Foundation
import Postgres
import TestKit
import Testing

/// `onboard migrate` and workers, each as its own process, while the schema changes.
@Suite(.timeLimit(.minutes(5))) struct SchemaTests {
    /// As the migration of a later program leaves it.
    private static func later(isBreaking: Bool) -> String {
        "INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES (9999, 'later', \(isBreaking)); NOTIFY onboarding_schema"
    }

    @Test func `a worker goes on with a later schema that is not breaking, and says so`() async throws {
        try await withStage { stage in
            let worker = try stage.work()
            try await eventually("the start") { worker.errors.contains("worker started") }
            try await stage.run(Self.later(isBreaking: false) + "; \(Load.connect(1))")
            try await eventually("the notice") { worker.errors.contains("with which this one can work") }
            try await eventually("the job") { try await stage.count("state = 'completed'") == 1 }
            // One that starts now works as well.
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
            try await stage.run(Load.connect(1))
            let second = try await stage.work(["--until-idle"]).ended()
            #expect(second.exitCode == 0)
            #expect(second.errors.contains("with which this one can work"))
            #expect(try await stage.count("state = 'completed'") == 2)
            let migrate = try await Program.run("onboard", ["migrate"], environment: stage.environment)
            #expect(migrate.exitCode == 0)
            #expect(migrate.output.contains("left as it is"))
        }
    }

    @Test
    func `a worker that runs stops claiming at a breaking schema, writes what is in flight and ends with its code`()
        async throws
    {
        try await withStage(["--delay", "2000"]) { stage in
            try await stage.run(Load.connect(1))
            let worker = try stage.work()
            try await eventually("the call") { try stage.simulator.traffic(of: "connect")["most_in_flight"] == 1 }
            try await stage.run(Self.later(isBreaking: true))
            try await eventually("the stop") { worker.errors.contains("claiming has stopped") }
            try await stage.run(Load.connect(1))
            let ended = try await worker.ended(within: 20)
            #expect(ended.exitCode == 78)
            #expect(ended.errors.contains("run a newer onboard"))
            #expect(try await stage.count("state = 'completed'") == 1)
            #expect(try await stage.count("state = 'available'") == 1)
            let migrate = try await Program.run("onboard", ["migrate"], environment: stage.environment)
            #expect(migrate.exitCode == 78)
        }
    }

    @Test func `a migrate that is killed between tables and functions leaves nothing, and two at once repeat it`()
        async throws
    {
        try await withTestDatabase(migrated: false) { url in
            let connection = try await Connection.open(ConnectionConfiguration(connectionString: url))
            func value(_ expression: String) async throws -> String? {
                try await connection.query(Statement("SELECT (\(expression))::text"))[0].decode(String?.self, at: 0)
            }
            try await connection.run(
                script: """
                    CREATE FUNCTION pause() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END';
                    CREATE EVENT TRIGGER pause ON ddl_command_start WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION pause();
                    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET client_connection_check_interval = ''100ms''', current_database()); END $$;
                    """)
            let migrate = try Program("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url]).start()
            try await eventually("the first function") {
                try await value(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
                ) == "1"
            }
            migrate.signal(SIGKILL)
            _ = try await migrate.ended()
            try await eventually("the end of its session") {
                try await value(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ) == "0"
            }
            #expect(try await value("to_regclass('onboarding.jobs') IS NULL") == "true")
            try await connection.run(script: "DROP EVENT TRIGGER pause")
            let both = try (1...2).map { _ in
                try Program("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url]).start()
            }
            var outputs: [String] = []
            for program in both {
                let ended = try await program.ended()
                #expect(ended.exitCode == 0, "\(ended.errors)")
                outputs.append(ended.output)
            }
            #expect(outputs.filter { $0.contains("Ran ") }.count == 1)
            #expect(outputs.filter { $0.contains("up to date") }.count == 1)
            let check = try await Program.run(
                "onboard", ["migrate", "--check"], environment: ["ONBOARD_DATABASE_URL": url])
            #expect(check.exitCode == 0)
            await connection.close()
        }
    }

    @Test func `roles that the login may not make are asked for all at once, as statements that an administrator runs`()
        async throws
    {
        let server = try PostgresServer(settings: ["fsync = off"])
        try await server.start()
        var string = try server.connectionString
        let admin = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        try await admin.run(script: "CREATE ROLE plain LOGIN")
        try await admin.run(script: "CREATE DATABASE theirs OWNER plain")
        string["dbname"] = "theirs"
        string["user"] = "plain"
        let environment = ["ONBOARD_DATABASE_URL": string.keywordForm]
        let refused = try await Program.run("onboard", ["migrate"], environment: environment)
        #expect(refused.exitCode == 78)
        let roles = ["enqueuer", "worker", "operator", "monitor"]
        let statements = roles.map { "CREATE ROLE onboarding_\($0) NOLOGIN;" }
        #expect(refused.errors.contains(statements.joined(separator: " ")), "\(refused.errors)")
        #expect(refused.errors.split(separator: "\n").count == 1)
        try await admin.run(script: statements.joined(separator: " "))
        let done = try await Program.run("onboard", ["migrate"], environment: environment)
        #expect(done.exitCode == 0, "\(done.errors)")
        await admin.close()
        try await server.stop(.immediate)
    }
}
