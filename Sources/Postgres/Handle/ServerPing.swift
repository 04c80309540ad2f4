import CPostgres
import NIOConcurrencyHelpers

/// Asks by a connection of its own whether a server still answers: a slow statement and a server that stands still look
/// the same on the connection that waits.
final class ServerPing: Sendable {
    private let box = NIOLockedValueBox<Bool?>(nil)

    /// Whether the server answers, be it by a refusal; nil while nobody knows.
    var isAnswered: Bool? { box.withLockedValue { $0 } }

    /// Asks on a thread of its own, since `PQpingParams` blocks; calls `completion` when the answer is known, which is no
    /// later than the keywords' `connect_timeout`.
    init(_ keywords: [(String, String)], completion: @escaping @Sendable () -> Void) {
        let isStarted = DetachedThread.start { [box] in
            // Anything but silence is an answer.
            let isSilent = unsafe keywords.withKeywordLists { unsafe PQpingParams($0, $1, 0) == PQPING_NO_RESPONSE }
            box.withLockedValue { $0 = !isSilent }
            completion()
        }
        // The statement's own deadline remains.
        if !isStarted { box.withLockedValue { $0 = true } }
    }
}
