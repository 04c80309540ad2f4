package import JobModel
import JobQueue
package import Kinds
package import Logging
import NIOConcurrencyHelpers
package import Postgres
package import Providers
import ServiceLifecycle

/// One worker process: claims, calls, writes back, keeps its lease, looks after what others lost.
///
/// Run it in a `ServiceGroup`. A graceful shutdown stops claiming, lets calls in flight end within the
/// drain time, writes their results and signs the worker off.
///
///     let daemon = Daemon(configuration: configuration, database: connection, caller: caller, logger: logger)
///     try await ServiceGroup(configuration: .init(services: [.init(service: daemon, …)], …)).run()
package final class Daemon: Service {
    private let registry: Registry
    /// How long a database that was given up may still take results.
    private static let lastWrites: Duration = .seconds(2)

    private let configuration: WorkerConfiguration
    private let pool: Pool
    private let leasePool: Pool
    private let listener: Listener
    private let caller: any ProviderCaller
    private let logger: Logger
    private let newWorkerID: @Sendable () -> WorkerID

    /// - Parameters:
    ///   - registry: the kinds that it knows.
    ///   - database: how to reach the queue.
    ///   - caller: how providers are called; the daemon does not shut it down.
    ///   - newWorkerID: makes a name that no other process has, now or ever.
    package init(
        registry: Registry = .shipped, configuration: WorkerConfiguration, database: ConnectionConfiguration,
        caller: any ProviderCaller, logger: Logger,
        newWorkerID: @escaping @Sendable () -> WorkerID
    ) {
        self.registry = registry
        self.configuration = configuration
        self.caller = caller
        self.logger = logger
        self.newWorkerID = newWorkerID
        pool = Pool(database, size: 5)
        // Leases have a connection of their own: nothing else may make a renewal wait.
        leasePool = Pool(database, size: 1)
        listener = Listener(database, channels: ["onboarding_jobs", "onboarding_schema"]) { error in
            logger.warning("not listening for new jobs; polling goes on", metadata: ["error": "\(error)"])
        }
    }

    /// Works until shut down, cancelled, or idle if so configured.
    ///
    /// - Throws: what the database said when the worker could not be signed on; after a drain ``SchemaIsTooNew``, or
    ///   ``DatabaseGivenUp`` when the database was lost for good.
    package func run() async throws {
        let trust = LeaseTrust(worker: newWorkerID(), trusted: configuration.lease - configuration.leaseMargin)
        var logger = logger
        logger[metadataKey: "worker"] = "\(trust.identity.worker)"
        let databaseClock = DatabaseClock(logger: logger)
        let slots = NIOLockedValueBox(
            Slots(
                capacity: configuration.concurrency, maxBytes: configuration.maxBytesInFlight,
                providers: configuration.providers.count))
        let bells = ClaimBells(providers: configuration.providers)
        let limitWaits = LimitWaits(bells: bells)
        let queue = Queue(pool: pool)
        let marker = Marker(queue: queue)
        let announcer = Announcer(queue: queue, logger: logger)
        let completer = Completer(
            queue: queue, announcer: announcer, logger: logger,
            unended: { slots.withLockedValue { $0.unended } }
        ) { attempt in
            let (openings, hasReady, isEmpty) = slots.withLockedValue { slots in
                if !attempt.freesSlotAtOnce { slots.freed(by: attempt.job.claim) }
                slots.written(attempt.job.claim)
                return (slots.openings(), slots.hasReady, slots.held.isEmpty)
            }
            bells.ring(openings)
            limitWaits.endWritten(of: attempt.job.claim.kind.provider)
            // A slot that is freed only now is for what waits, whichever provider it waits for.
            if !attempt.freesSlotAtOnce, hasReady { bells.ring(attempt.job.claim.kind.provider) }
            if isEmpty { bells.ringAll() }
        }
        let claimer = Claimer(
            queue: queue,
            runner: AttemptRunner(
                registry: registry, caller: caller, marker: marker, trust: trust, decider: AttemptDecider()),
            completer: completer,
            trust: trust, databaseClock: databaseClock, configuration: configuration, slots: slots, bells: bells,
            limitWaits: limitWaits,
            logger: logger)
        let cause = NIOLockedValueBox<(any Error)?>(nil)
        let heartbeat = Heartbeat(
            queue: Queue(pool: leasePool), trust: trust, clock: databaseClock, configuration: configuration,
            inFlight: { slots.withLockedValue { $0.calling } }, isDraining: { claimer.isDraining },
            newWorkerID: newWorkerID,
            giveUp: { end in
                cause.withLockedValue { $0 = end }
                claimer.giveUp()
            }, logger: logger)
        do {
            try await heartbeat.signOn()
        } catch {
            await pool.shutdown()
            await leasePool.shutdown()
            throw error
        }
        logger.info("worker started", metadata: ["providers": "\(configuration.providers.map(\.value))"])
        await withGracefulShutdownHandler {
            let reaper = Reaper(
                queue: queue, trust: trust, held: { slots.withLockedValue { Array($0.held) } }, logger: logger)
            await work(claimer, completer, announcer, marker, heartbeat, reaper, cause)
        } onGracefulShutdown: {
            claimer.stop()
        }
        let unwritten = slots.withLockedValue { $0.held.count }
        if unwritten > 0 {
            logger.error(
                "ended with jobs whose results are not written; others take them over",
                metadata: ["jobs": .stringConvertible(unwritten)])
        }
        await signOff(trust, logger)
        if let cause = cause.withLockedValue({ $0 }) { throw cause }
    }

    /// A later program has changed the schema so that this one cannot work with it.
    package struct SchemaIsTooNew: Error {}

    /// Ends the worker's row and all connections, also when the task was cancelled.
    private func signOff(_ trust: LeaseTrust, _ logger: Logger) async {
        await shielded { [pool, leasePool] in
            do {
                try await Queue(pool: pool).remove(trust.identity.worker)
            } catch {
                logger.warning("could not sign off; the lease will end by itself", metadata: ["error": "\(error)"])
            }
            await pool.shutdown()
            await leasePool.shutdown()
        }
        logger.info("worker ended")
    }

    /// Everything at once; what is in the background ends when the claimer and then the completer have. `cause` gets what made
    /// the worker end, other than a signal or having nothing to do.
    private func work(
        _ claimer: Claimer, _ completer: Completer, _ announcer: Announcer, _ marker: Marker, _ heartbeat: Heartbeat,
        _ reaper: Reaper, _ cause: NIOLockedValueBox<(any Error)?>
    ) async {
        await withTaskGroup { background in
            let watch = SchemaWatch(queue: reaper.queue, logger: logger)
            background.addTask(name: "schema-watch") {
                guard await watch.run() else { return }
                cause.withLockedValue { $0 = $0 ?? SchemaIsTooNew() }
                claimer.stop()
            }
            background.addTask(name: "heartbeat") { await heartbeat.run() }
            background.addTask(name: "reaper") { await reaper.run() }
            let maintainer = Maintainer(queue: reaper.queue, logger: logger)
            background.addTask(name: "maintainer") { await maintainer.run() }
            background.addTask(name: "marker") { await marker.run() }
            background.addTask(name: "listener") { [listener] in await listener.run() }
            background.addTask(name: "wake-up") { [listener] in
                for await notification in listener.notifications {
                    if notification.mayConcernSchema { watch.bell.ring() }
                    claimer.wake(notification.provider)
                }
            }
            await withTaskGroup { foreground in
                foreground.addTask(name: "completer") {
                    await completer.run()
                    announcer.finish()
                }
                foreground.addTask(name: "announcer") { await announcer.run() }
                await claimer.run()
                completer.finish()
                if cause.withLockedValue({ $0 is DatabaseGivenUp }) {
                    // Cancelled: the time is over as well.
                    try? await Task.sleep(for: Self.lastWrites)
                    foreground.cancelAll()
                }
                await foreground.waitForAll()
            }
            background.cancelAll()
        }
    }
}

extension Notification {
    /// Whether a migration may have run.
    fileprivate var mayConcernSchema: Bool {
        guard case .received(let channel, _) = self else { return true }
        return channel == "onboarding_schema"
    }

    /// Whose jobs may have come; nil: of any provider.
    fileprivate var provider: ProviderName? {
        guard case .received(_, let payload) = self, !payload.isEmpty else { return nil }
        return ProviderName(payload)
    }
}
