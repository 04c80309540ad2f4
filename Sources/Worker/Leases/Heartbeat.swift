import JobModel
import JobQueue
import Logging
import Postgres

/// Keeps the worker's lease, and takes a new name when it was lost.
struct Heartbeat: Sendable {
    let queue: Queue
    let trust: LeaseTrust
    let configuration: WorkerConfiguration
    let inFlight: @Sendable () -> Int
    let isDraining: @Sendable () -> Bool
    let newWorkerID: @Sendable () -> WorkerID
    let logger: Logger

    /// Signs the worker on, as often as it takes while connections are lost.
    ///
    /// - Throws: what else the database said, or what it still said after half a minute.
    func signOn() async throws {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await register()
            } catch let error as PostgresError where error.isConnectionLost && ContinuousClock.now < end {
                logger.warning("could not sign on; trying again", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .milliseconds(500))
                // The name may be taken: by the try whose answer was lost.
                trust.lost(continuingAs: newWorkerID())
            }
        }
    }

    private func register() async throws {
        let start = ContinuousClock.now
        let worker = trust.identity.worker
        _ = try await queue.register(
            worker, host: configuration.host, version: configuration.version, slots: configuration.concurrency,
            providers: configuration.providers, lease: configuration.lease, callTimeout: configuration.longestCall)
        trust.renewed(from: start)
    }

    /// Renews until cancelled.
    func run() async {
        var pause = configuration.renewalInterval
        while !Task.isCancelled {
            // Cancelled: the loop ends.
            try? await Task.sleep(for: pause)
            if Task.isCancelled { return }
            // Calls may go on for seven seconds after the last renewal: one that failed is tried again soon.
            let isRenewed = await beat()
            pause = isRenewed ? configuration.renewalInterval : min(configuration.renewalInterval, .milliseconds(300))
        }
    }

    /// Renews once, or signs on anew; false when neither could be done.
    private func beat() async -> Bool {
        let start = ContinuousClock.now
        let worker = trust.identity.worker
        do {
            if try await queue.renewLease(
                of: worker, lease: configuration.lease, inFlight: inFlight(), isDraining: isDraining())
            {
                trust.renewed(from: start)
                return true
            }
            logger.warning("lost the lease; going on under a new name", metadata: ["worker": "\(worker)"])
            trust.lost(continuingAs: newWorkerID())
            try await register()
            return true
        } catch {
            logger.warning("could not renew the lease", metadata: ["worker": "\(worker)", "error": "\(error)"])
            return false
        }
    }
}
