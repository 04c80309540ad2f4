/// Where a transaction failed, and what is known of its effect.
package enum TransactionError: Error {
    /// No transaction was begun; the body did not run.
    case begin(PostgresError)
    /// The body threw, and everything was rolled back. If `rollback` is set, ROLLBACK itself failed and the
    /// connection was closed, which makes the server roll back.
    case body(any Error, rollback: PostgresError?)
    /// The server refused COMMIT: everything was rolled back.
    case commit(PostgresError)
    /// The link broke, or the time was up, after COMMIT was sent: it may or may not have taken effect.
    case commitUnknown(PostgresError)

    /// The error behind it.
    package var underlying: any Error {
        switch self {
        case .begin(let error), .commit(let error), .commitUnknown(let error): error
        case .body(let error, _): error
        }
    }

    /// The PostgreSQL error behind it, if it is one.
    package var postgres: PostgresError? {
        underlying as? PostgresError
    }
}

extension TransactionError: CustomStringConvertible {
    /// The place and the error; a body's foreign error is named by its type alone, for it may hold values.
    package var description: String {
        switch self {
        case .begin(let error): "BEGIN failed: \(error)"
        case .commit(let error): "COMMIT was refused: \(error)"
        case .commitUnknown(let error): "COMMIT was sent, its fate is unknown: \(error)"
        case .body(let error, let rollback):
            "the transaction's body failed: \(postgres.map(String.init(describing:)) ?? "\(type(of: error))")"
                + (rollback.map { "; ROLLBACK failed too: \($0)" } ?? "")
        }
    }
}
