/// What went wrong between this process and PostgreSQL.
///
/// It never holds a parameter, a row or a password: the server's DETAIL, which prints failing rows,
/// is not read at all, and messages of class 22, which quote the value they refuse, are cut before it.
package struct PostgresError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    package enum Code: String, Sendable {
        /// The connection string cannot be used; nothing was tried.
        case invalidConnectionString
        /// No connection could be made.
        case connectionFailed
        /// The server is older than PostgreSQL 15.
        case serverTooOld
        /// The database's encoding is not UTF8, so that it cannot hold what callers send.
        case wrongEncoding
        /// The server refused the statement; ``PostgresError/sqlState`` says why. The connection is usable.
        case server
        /// The deadline passed and the statement was cancelled on the server.
        case timedOut
        /// The task was cancelled, and with it the statement on the server.
        case cancelled
        /// The connection was found closed before anything was sent: nothing has happened.
        case closed
        /// The link broke after the statement was sent: it may or may not have taken effect.
        case connectionLost
        /// A column does not hold what the caller asked for.
        case decoding
        /// A parameter cannot be sent, such as text with a NUL character; nothing was sent.
        case invalidParameter
        /// No connection became free within the pool's time.
        case poolTimeout
        /// The pool has been shut down.
        case poolClosed
        /// The transaction had failed, so that COMMIT rolled it back.
        case transactionAborted
        /// The server or libpq answered with something that this layer does not speak, such as COPY.
        case unsupported
    }

    /// What kind of failure it is.
    package let code: Code
    /// The server's code, where it sent one.
    package let sqlState: SQLState?
    /// One sentence for an operator, without values.
    package let message: String
    /// The violated constraint, if the server named one.
    package let constraint: String?
    /// The column, if the server named one.
    package let column: String?
    /// The server's advice.
    package let hint: String?
    /// Whether the connection was closed because of this, whatever the code.
    package let closedConnection: Bool

    /// Puts an error together; only the code and the message are needed.
    package init(
        _ code: Code, _ message: String, sqlState: SQLState? = nil, constraint: String? = nil, column: String? = nil,
        hint: String? = nil, closedConnection: Bool = false
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.constraint = constraint
        self.column = column
        self.hint = hint
        self.closedConnection = closedConnection
    }

    /// Whether the connection is gone, so that the next attempt needs another one.
    package var isConnectionLost: Bool {
        switch code {
        case .connectionFailed, .closed, .connectionLost: true
        case .server: sqlState.map { $0.isClass("08") || $0.isClass("57P") } ?? false
        default: closedConnection
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// It does not say that the first call had no effect: see ``Code/connectionLost``.
    package var isRetryable: Bool {
        if isConnectionLost { return true }
        switch code {
        case .timedOut, .poolTimeout: return true
        case .server:
            guard let sqlState else { return false }
            let single: [SQLState] = [.serializationFailure, .deadlockDetected, .lockNotAvailable, .queryCanceled]
            return single.contains(sqlState) || sqlState.isClass("53")
        default: return false
        }
    }

    /// The same error, of another code.
    func with(_ code: Code, closedConnection: Bool = false) -> PostgresError {
        PostgresError(
            code, message, sqlState: sqlState, constraint: constraint, column: column, hint: hint,
            closedConnection: closedConnection)
    }
}

extension PostgresError: CustomStringConvertible {
    /// Code, SQLSTATE, message, constraint and column; no values.
    package var description: String {
        var text = code.rawValue
        if let sqlState { text += " \(sqlState)" }
        text += ": \(message)"
        if let constraint { text += " [constraint \(constraint)]" }
        if let column { text += " [column \(column)]" }
        return text
    }
}
