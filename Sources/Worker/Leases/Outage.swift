package import Postgres

/// The database does not come back: the worker has ended what it could, and ends.
package struct DatabaseGivenUp: Error {
    /// What the last try was answered with.
    package let reason: PostgresError
    /// How long the database had been tried in vain.
    package let duration: Duration
}

/// The present outage of the database, and the decision to stop waiting for its end.
struct Outage {
    /// The wait for a fault that only a person can mend, such as a password in rotation or a schema in restoration.
    static let patience: Duration = .seconds(60)

    /// How long a database that is out of reach is waited for.
    let limit: Duration
    private(set) var since: ContinuousClock.Instant?

    init(limit: Duration) {
        self.limit = limit
    }

    /// A try failed at `now`; returns why to give up, when it is time.
    mutating func failed(_ error: PostgresError, at now: ContinuousClock.Instant) -> DatabaseGivenUp? {
        guard let since else {
            self.since = now
            return nil
        }
        let duration = now - since
        let patience = error.needsPerson ? min(Self.patience, limit) : limit
        return duration >= patience ? DatabaseGivenUp(reason: error, duration: duration) : nil
    }

    /// A try succeeded at `now`; returns how long the outage was that has ended.
    mutating func succeeded(at now: ContinuousClock.Instant) -> Duration? {
        defer { since = nil }
        return since.map { now - $0 }
    }
}

extension PostgresError {
    /// Whether trying again is of no use until somebody has changed something: the login or the database is refused, or the
    /// schema is not there.
    fileprivate var needsPerson: Bool {
        switch code {
        case .invalidConnectionString, .serverTooOld, .wrongEncoding: true
        case .connectionFailed: sqlState.map { $0.isClass("28") || $0.isClass("3D") } ?? false
        case .server:
            sqlState.map {
                [.undefinedTable, .undefinedFunction, .undefinedSchema, .insufficientPrivilege].contains($0)
            }
                ?? false
        default: false
        }
    }
}
