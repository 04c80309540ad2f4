import NIOConcurrencyHelpers

/// A connection string that can change while the program runs, such as one in a file in which a password is rotated.
///
/// Each new connection reads it anew, so that a login that was refused is tried again with what the file holds by then. What is
/// open is looked at once a second: connections that an earlier string led to are left, since it may have led elsewhere.
package final class ConnectionStringSource: Sendable {
    /// A string, and how many came before it.
    struct Reading: Sendable {
        let text: String
        let generation: Int
    }

    private struct State {
        var text: String
        var generation = 0
        var nextLook = ContinuousClock.now + ConnectionStringSource.lookInterval
    }

    private static let lookInterval: Duration = .seconds(1)

    private let read: @Sendable () -> String?
    private let changed: @Sendable () -> Void
    private let state: NIOLockedValueBox<State>

    /// Begins with `text`.
    ///
    /// - Parameters:
    ///   - changed: called once for each change that was noticed, for a log.
    ///   - read: the string as it is now; nil where it cannot be read, and the last one counts.
    package init(
        _ text: String, changed: @escaping @Sendable () -> Void = {}, read: @escaping @Sendable () -> String?
    ) {
        self.read = read
        self.changed = changed
        state = NIOLockedValueBox(State(text: text))
    }

    /// Reads the string now.
    func latest() -> Reading {
        let text = read()
        let (reading, isNew) = state.withLockedValue { state in
            state.nextLook = .now + Self.lookInterval
            let isNew = text.map { $0 != state.text } ?? false
            if let text, isNew {
                state.text = text
                state.generation += 1
            }
            return (Reading(text: state.text, generation: state.generation), isNew)
        }
        if isNew { changed() }
        return reading
    }

    /// Whether a connection of that generation leads where the string leads now, as far as it was looked at.
    func isCurrent(_ generation: Int) -> Bool {
        let (known, isDue) = state.withLockedValue { state in
            let isDue = state.nextLook <= .now
            // One look at a time.
            if isDue { state.nextLook = .now + Self.lookInterval }
            return (state.generation, isDue)
        }
        return (isDue ? latest().generation : known) == generation
    }
}
