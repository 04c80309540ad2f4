/// PostgreSQL's five-character error code.
///
/// Compare with the known ones below, or match a whole class: `state.isClass("40")`.
package struct SQLState: Sendable, Hashable, CustomStringConvertible {
    /// The five characters, such as `23505`.
    package let code: String

    /// Takes the code as the server sent it.
    package init(_ code: String) {
        self.code = code
    }

    /// Whether the code belongs to the class of these two characters.
    package func isClass(_ prefix: String) -> Bool {
        code.hasPrefix(prefix)
    }

    /// The five characters.
    package var description: String { code }

    /// 0A000, also sent when a cached plan must not change its result type.
    package static let featureNotSupported = SQLState("0A000")
    /// 23505.
    package static let uniqueViolation = SQLState("23505")
    /// 23503.
    package static let foreignKeyViolation = SQLState("23503")
    /// 23514.
    package static let checkViolation = SQLState("23514")
    /// 25P02: the transaction has failed already and takes no more statements.
    package static let inFailedTransaction = SQLState("25P02")
    /// 26000: no prepared statement of that name.
    package static let invalidStatementName = SQLState("26000")
    /// 40001.
    package static let serializationFailure = SQLState("40001")
    /// 40P01.
    package static let deadlockDetected = SQLState("40P01")
    /// 42P01.
    package static let undefinedTable = SQLState("42P01")
    /// 42883.
    package static let undefinedFunction = SQLState("42883")
    /// 3F000.
    package static let undefinedSchema = SQLState("3F000")
    /// 42501.
    package static let insufficientPrivilege = SQLState("42501")
    /// 55P03: `lock_timeout` passed or `NOWAIT` would have waited.
    package static let lockNotAvailable = SQLState("55P03")
    /// 57014: cancelled by a request or by `statement_timeout`.
    package static let queryCanceled = SQLState("57014")
    /// 57P01: the backend was terminated, or the server shuts down.
    package static let adminShutdown = SQLState("57P01")
}
