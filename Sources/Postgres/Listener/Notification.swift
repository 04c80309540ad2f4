/// What a listener hears. Each is only a hint to look into the tables.
package enum Notification: Sendable, Equatable {
    /// Somebody notified.
    case received(channel: String, payload: String)
    /// The listener has just begun to listen, for the first time or again: what was said before is lost.
    case reconnected
}
