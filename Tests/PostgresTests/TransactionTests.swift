import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct TransactionTests {
    struct Refusal: Error {}

    private func withTable(_ body: (Pool) async throws -> Void) async throws {
        try await withPool(size: 2) { pool in
            _ = try await pool.query(
                Statement("CREATE TABLE t (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)"))
            try await body(pool)
        }
    }

    private func count(_ pool: Pool) async throws -> Int {
        try await pool.query(Statement("SELECT count(*) FROM t"))[0].decode(Int.self, at: 0)
    }

    @Test func `a transaction commits`() async throws {
        try await withTable { pool in
            let answer = try await pool.withTransaction { connection in
                _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
                return 42
            }
            #expect(answer == 42)
            #expect(try await count(pool) == 1)
        }
    }

    @Test func `an error of the body rolls back and comes out`() async throws {
        try await withTable { pool in
            let error = try await transactionFailure {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
                    throw Refusal()
                }
            }
            guard case .body(let refusal, rollback: nil) = error else { throw error }
            #expect(refusal is Refusal)
            #expect(try await count(pool) == 0)
            #expect(pool.usage.idle == 1)
        }
    }

    @Test func `a refused COMMIT is told from a body's error`() async throws {
        try await withTable { pool in
            let error = try await transactionFailure {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("INSERT INTO t VALUES (1), (1)"))
                }
            }
            guard case .commit(let refused) = error else { throw error }
            #expect(refused.sqlState == .uniqueViolation)
            #expect(try await count(pool) == 0)
        }
    }

    @Test func `a swallowed error does not pass for a commit`() async throws {
        try await withTable { pool in
            let error = try await transactionFailure {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
                    _ = try? await connection.query(Statement("SELECT 1/0"))
                }
            }
            guard case .commit(let refused) = error else { throw error }
            #expect(refused.code == .transactionAborted)
            #expect(try await count(pool) == 0)
        }
    }

    @Test func `a link that breaks at COMMIT leaves its fate unknown`() async throws {
        try await withTable { pool in
            _ = try await pool.query(
                Statement(
                    """
                    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
                    """))
            _ = try await pool.query(
                Statement(
                    """
                    CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION die()
                    """))
            let error = try await transactionFailure {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
                }
            }
            guard case .commitUnknown(let lost) = error else { throw error }
            #expect(lost.isConnectionLost)
            #expect(try await count(pool) == 0)
        }
    }

    @Test func `a cancelled body is rolled back and its connection kept`() async throws {
        try await withTable { pool in
            let task = Task { () async throws -> Void in
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
                    withUnsafeCurrentTask { $0?.cancel() }
                    _ = try await connection.query(Statement("SELECT 1"))
                }
            }
            let error = try await failure { try await task.value }
            #expect(error.code == .cancelled)
            let left = try await count(pool)
            #expect(left == 0)
            #expect(pool.usage.idle == 1)
        }
    }

    @Test func `a body that loses its connection says that the rollback failed too`() async throws {
        try await withTable { pool in
            let error = try await transactionFailure {
                try await pool.withTransaction { connection in
                    _ = try await connection.query(Statement("SELECT pg_terminate_backend(pg_backend_pid())"))
                }
            }
            guard case .body(_, rollback: .some) = error else { throw error }
            #expect(error.postgres?.code == .connectionLost)
            #expect(try await count(pool) == 0)
        }
    }

    @Test func `without a server BEGIN fails`() async throws {
        let pool = Pool(ConnectionConfiguration(connectionString: "host=127.0.0.1 port=1"), size: 1)
        let error = try await transactionFailure { try await pool.withTransaction { _ in } }
        guard case .begin(let refused) = error else { throw error }
        #expect(refused.code == .connectionFailed)
    }

    @Test func `a foreign error is named by its type alone`() {
        struct Leaky: Error, CustomStringConvertible { let description = "hunter2" }
        #expect(!TransactionError.body(Leaky(), rollback: nil).description.contains("hunter2"))
    }
}
