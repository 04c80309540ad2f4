import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PreparedStatementTests {
    @Test func `a named statement is prepared once`() async throws {
        try await withConnection { connection in
            for value in 0..<5 {
                let rows = try await connection.query(
                    Statement("SELECT $1 + 1", name: "plus one", parameters: [.integer(value)]))
                #expect(try rows[0].decode(Int.self, at: 0) == value + 1)
            }
            let rows = try await connection.query(
                Statement("SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE name = 'plus one'"))
            #expect(try rows[0].decode(Int.self, at: 0) == 5)
        }
    }

    @Test func `a name used for another text is prepared anew`() async throws {
        try await withConnection { connection in
            _ = try await connection.query(Statement("SELECT 1", name: "n"))
            let rows = try await connection.query(Statement("SELECT 2", name: "n"))
            #expect(try rows[0].decode(Int.self, at: 0) == 2)
        }
    }

    @Test func `a statement that the server has forgotten is prepared again`() async throws {
        try await withConnection { connection in
            _ = try await connection.query(Statement("SELECT 1", name: "n"))
            try await connection.run(script: "DEALLOCATE ALL")
            #expect(try await connection.query(Statement("SELECT 1", name: "n")).count == 1)
        }
    }

    @Test func `a statement whose result has changed its type is prepared again`() async throws {
        try await withConnection { connection in
            try await connection.run(script: "CREATE TABLE t (id integer); INSERT INTO t VALUES (7)")
            let statement = Statement("SELECT * FROM t", name: "n")
            _ = try await connection.query(statement)
            try await connection.run(script: "ALTER TABLE t ALTER id TYPE text")
            #expect(try await connection.query(statement)[0].decode(String.self, at: 0) == "7")
        }
    }

    @Test func `in a transaction a stale statement fails and works in the next one`() async throws {
        try await withConnection { connection in
            try await connection.run(script: "CREATE TABLE t (id integer)")
            let statement = Statement("SELECT * FROM t", name: "n")
            _ = try await connection.query(statement)
            try await connection.run(script: "ALTER TABLE t ALTER id TYPE text")
            _ = try await connection.query(Statement("BEGIN"))
            let error = try await failure { _ = try await connection.query(statement) }
            #expect(error.sqlState == .featureNotSupported)
            _ = try await connection.query(Statement("ROLLBACK"))
            _ = try await connection.query(statement)
        }
    }

    @Test func `a statement that does not parse can be tried again`() async throws {
        try await withConnection { connection in
            let statement = Statement("SELECT * FROM t", name: "n")
            #expect(try await failure { _ = try await connection.query(statement) }.sqlState == .undefinedTable)
            try await connection.run(script: "CREATE TABLE t ()")
            _ = try await connection.query(statement)
        }
    }
}
