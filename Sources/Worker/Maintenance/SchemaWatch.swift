import JobQueue
import Logging

/// Notices while the worker works that a later program has migrated the schema.
///
/// The worker goes on unless one of the new migrations is breaking: then its statements could do harm, and it stops.
struct SchemaWatch: Sendable {
    let queue: Queue
    let logger: Logger
    /// Rung by the notification of a migration.
    let bell = Bell()
    /// How often it looks without one.
    var interval: Duration = .seconds(20)

    /// Looks until it finds that the worker must stop, which is true, or until cancelled.
    func run() async -> Bool {
        var isTold = false
        while !Task.isCancelled {
            // A database out of reach, or without the schema: others say so.
            switch try? await queue.schemaAge() {
            case .breaking:
                logger.error("the schema is of a later program, and this one cannot work with it: claiming has stopped")
                return true
            case .newer where !isTold:
                logger.notice("the schema is of a later program, with which this one can work")
                isTold = true
            case .newer, .known, nil: break
            }
            // Spread, so that the workers of a fleet do not all ask at once.
            await bell.wait(atMost: interval * Double.random(in: 0.5...1.5), clock: ContinuousClock())
        }
        return false
    }
}
