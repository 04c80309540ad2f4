import JobModel
import JobQueue
import Logging
import Postgres

/// Keeps the worker's lease, and takes a new name when it was lost.
struct Heartbeat: Sendable {
    let queue: Queue
    let trust: LeaseTrust
    let clock: DatabaseClock
    let configuration: WorkerConfiguration
    let inFlight: @Sendable () -> Int
    let isDraining: @Sendable () -> Bool
    let newWorkerID: @Sendable () -> WorkerID
    /// Called once, when the database is waited for no longer.
    let giveUp: @Sendable (DatabaseGivenUp) -> Void
    let logger: Logger

    /// Signs the worker on, as often as it takes while connections are lost.
    ///
    /// - Throws: what else the database said, or what it still said after half a minute.
    func signOn() async throws {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                try await register()
                await noteClock()
                return
            } catch let error as PostgresError where error.isConnectionLost && ContinuousClock.now < end {
                logger.warning("could not sign on; trying again", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    /// Registers under the present name, or under another where that is taken: by another worker, or by the try whose answer
    /// was lost.
    ///
    /// - Throws: ``NameTaken`` when ten names in a row are.
    private func register() async throws {
        for _ in 0..<10 {
            let start = ContinuousClock.now
            let worker = trust.identity.worker
            let registration = try await queue.register(
                worker, host: configuration.host, version: configuration.version, slots: configuration.concurrency,
                providers: configuration.providers, lease: configuration.lease, callTimeout: configuration.longestCall)
            if let registration {
                if let jump = registration.unwatchedJump { clock.wasUnwatched(jump: jump) }
                return trust.renewed(from: start)
            }
            logger.warning("the worker's name is taken; going on under another", metadata: ["worker": "\(worker)"])
            trust.lost(continuingAs: newWorkerID())
        }
        throw NameTaken()
    }

    /// Renews until cancelled.
    func run() async {
        var pause = configuration.renewalInterval
        var outage = Outage(limit: configuration.outageTimeout)
        var hasGivenUp = false
        while !Task.isCancelled {
            // Cancelled: the loop ends.
            try? await Task.sleep(for: pause)
            if Task.isCancelled { return }
            // Calls may go on for seven seconds after the last renewal: one that failed is tried again soon.
            pause = min(configuration.renewalInterval, .milliseconds(300))
            do {
                try await beat()
                pause = configuration.renewalInterval
                guard let duration = outage.succeeded(at: .now) else { continue }
                logger.notice(
                    "the database is back", metadata: ["seconds": .stringConvertible(duration.components.seconds)])
            } catch {
                if outage.since == nil { logger.warning("the database is lost", metadata: ["error": "\(error)"]) }
                let reason = error as? PostgresError ?? PostgresError(.server, "\(error)")
                guard let end = outage.failed(reason, at: .now), !hasGivenUp else { continue }
                hasGivenUp = true
                giveUp(end)
            }
        }
    }

    /// Renews once, or signs on anew.
    private func beat() async throws {
        let start = ContinuousClock.now
        let worker = trust.identity.worker
        do {
            let renewal = try await queue.renewLease(
                of: worker, lease: configuration.lease, inFlight: inFlight(), isDraining: isDraining())
            if let time = renewal.clock { clock.read(time, from: start, to: .now) }
            if renewal.isHeld {
                trust.renewed(from: start)
            } else {
                logger.warning("lost the lease; going on under a new name", metadata: ["worker": "\(worker)"])
                trust.lost(continuingAs: newWorkerID())
                try await register()
            }
        } catch {
            logger.debug("could not renew the lease", metadata: ["worker": "\(worker)", "error": "\(error)"])
            throw error
        }
        await noteClock()
    }

    /// The lease is held, whatever becomes of the note; ages count again when it is written.
    private func noteClock() async {
        do {
            try await clock.note(in: queue)
        } catch {
            logger.warning("could not note what the database's clock did", metadata: ["error": "\(error)"])
        }
    }
}

/// No name that was made was free.
struct NameTaken: Error, CustomStringConvertible {
    var description: String { "ten names in a row are taken by other workers: names must be random" }
}
