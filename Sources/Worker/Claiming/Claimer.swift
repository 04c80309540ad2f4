import JobModel
import JobQueue
import Logging
import NIOConcurrencyHelpers
import Postgres

/// Claims jobs for slots that are free, or soon will be, and runs an attempt for each. Each provider has claims of its own:
/// none waits for another's.
final class Claimer: Sendable {
    /// How long a few free slots wait for more.
    private static let gatheringTime: Duration = .milliseconds(2)

    private let queue: Queue
    private let runner: AttemptRunner
    private let completer: Completer
    private let trust: LeaseTrust
    private let databaseClock: DatabaseClock
    private let configuration: WorkerConfiguration
    private let slots: NIOLockedValueBox<Slots>
    private let bells: ClaimBells
    private let limitWaits: LimitWaits
    /// The providers of which jobs may have come since the last look.
    private let jobsCame: NIOLockedValueBox<Set<ProviderName>>
    /// The providers of which the last claim brought nothing.
    private let empty = NIOLockedValueBox<Set<ProviderName>>([])
    private let isStopping = NIOLockedValueBox(false)
    private let isHopeless = NIOLockedValueBox(false)
    private let logger: Logger
    private let clock = ContinuousClock()

    init(
        queue: Queue, runner: AttemptRunner, completer: Completer, trust: LeaseTrust, databaseClock: DatabaseClock,
        configuration: WorkerConfiguration,
        slots: NIOLockedValueBox<Slots>, bells: ClaimBells, limitWaits: LimitWaits, logger: Logger
    ) {
        self.queue = queue
        self.runner = runner
        self.completer = completer
        self.trust = trust
        self.databaseClock = databaseClock
        self.configuration = configuration
        self.slots = slots
        self.bells = bells
        self.limitWaits = limitWaits
        self.logger = logger
        jobsCame = NIOLockedValueBox(Set(configuration.providers))
    }

    /// Jobs of a provider may have come, or of any where none is given.
    func wake(_ provider: ProviderName?) {
        guard let provider else {
            jobsCame.withLockedValue { $0 = Set(configuration.providers) }
            return bells.ringAll()
        }
        guard configuration.providers.contains(provider) else { return }
        jobsCame.withLockedValue { _ = $0.insert(provider) }
        bells.ring(provider)
    }

    /// Stops claiming; `run` then returns when the attempts in flight have ended or the drain time is over.
    func stop() {
        isStopping.withLockedValue { $0 = true }
        bells.ringAll()
    }

    /// Stops claiming, as ``stop()`` does; the ends of calls cannot be written and are not waited for.
    func giveUp() {
        isHopeless.withLockedValue { $0 = true }
        stop()
    }

    /// Whether it claims no more.
    var isDraining: Bool { isStopping.withLockedValue { $0 } }

    /// Claims and runs attempts until stopped, cancelled or, if so configured, idle.
    func run() async {
        await withDiscardingTaskGroup { loops in
            for provider in configuration.providers {
                loops.addTask(name: "claims") { await self.run(provider) }
            }
        }
    }

    private func run(_ provider: ProviderName) async {
        await withDiscardingTaskGroup { attempts in
            var schedule = ClaimSchedule(provider: provider)
            let start = clock.now
            while !isDraining, !Task.isCancelled {
                if jobsCame.withLockedValue({ $0.remove(provider) }) != nil { schedule.jobsCame(at: clock.now - start) }
                if limitWaits.roomCame(to: provider) { schedule.roomCame() }
                begin(&attempts)
                await claim(&schedule, since: start)
                begin(&attempts)
                if await isIdle() { break }
                await pause(schedule, since: start)
            }
            stop()
            await drain(&attempts, ringing: bells[provider])
            attempts.cancelAll()
        }
    }

    /// Claims once if it is time and there is room.
    private func claim(_ schedule: inout ClaimSchedule, since start: ContinuousClock.Instant) async {
        let provider = schedule.provider
        guard !isDraining, schedule.isDue(at: clock.now - start),
            let allowance = slots.withLockedValue({ $0.beginClaim(for: provider) })
        else { return }
        let began = clock.now
        let look = schedule.claimBegan(at: began - start)
        empty.withLockedValue { _ = $0.remove(provider) }
        let identity = trust.identity
        let jumps = databaseClock.jumps
        let ends = limitWaits.ends(of: provider)
        do {
            var batch = try await queue.claim(
                provider, for: identity.worker, wanted: allowance.jobs, byteBudget: allowance.bytes,
                singleBudget: allowance.singleBytes, lease: configuration.lease, cursor: &schedule.cursor)
            let now = clock.now
            databaseClock.check(&batch, since: jumps, from: began, to: now)
            schedule.claimReturned(
                batch, from: look, start: began - start, end: now - start, pollInterval: configuration.pollInterval)
            end(of: provider, from: began, to: now, with: batch.claims, as: identity)
            if batch.hint == .inFlight { limitWaits.wait(for: provider, since: ends) }
            if batch.claims.isEmpty { empty.withLockedValue { _ = $0.insert(provider) } }
        } catch {
            logger.warning("could not claim", metadata: ["provider": "\(provider)", "error": "\(error)"])
            let now = clock.now
            end(of: provider, from: began, to: now, with: [], as: identity)
            schedule.claimFailed(
                from: look, isTimeout: error.code == .timedOut, at: now - start,
                retryAfter: min(.milliseconds(500), configuration.pollInterval))
        }
    }

    /// Takes what a claim brought, and lets those go on that waited for its end.
    private func end(
        of provider: ProviderName, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant,
        with jobs: [ClaimedJob], as identity: LeaseTrust.Identity
    ) {
        let openings = slots.withLockedValue { slots in
            slots.endClaim(for: provider, from: start, to: end)
            for job in jobs { slots.claimed(job, as: identity, at: end) }
            return slots.openings()
        }
        bells.ring(openings)
    }

    /// Begins as many calls as there are slots for, and gives back what has waited too long, or all when draining. A call that
    /// succeeds hands its slot on.
    private func begin(_ attempts: inout DiscardingTaskGroup) {
        let stale = slots.withLockedValue { isDraining ? $0.giveBack() : $0.giveBackStale(at: clock.now) }
        for job in stale { completer.add(runner.handBack(job)) }
        while let first = slots.withLockedValue({ $0.next(at: clock.now) }) {
            attempts.addTask(name: "attempts") { await self.run(from: first) }
        }
    }

    private func run(from first: Slots.Ready) async {
        var next: Slots.Ready? = first
        while let ready = next {
            let end = await runner.run(ready.job, as: ready.identity)
            var givenBack: [ClaimedJob] = []
            let openings = slots.withLockedValue { slots in
                next = nil
                if end.freesSlotAtOnce {
                    slots.freed(by: ready.job.claim)
                    if !isDraining { next = slots.next(at: clock.now) }
                } else if end.concernsProvider {
                    givenBack = slots.giveBack(of: ready.job.claim.kind.provider)
                }
                return slots.openings()
            }
            completer.add(end)
            for job in givenBack { completer.add(runner.handBack(job)) }
            bells.ring(openings)
        }
    }

    /// Waits for what may let more be claimed: freed slots, a notification, a time.
    private func pause(_ schedule: ClaimSchedule, since start: ContinuousClock.Instant) async {
        let bell = bells[schedule.provider]
        let began = clock.now
        while !isDraining, !Task.isCancelled {
            let now = clock.now
            let wait = schedule.nextClaim - (now - start)
            let (room, isWorthIt, hasReady, isSupplied) = slots.withLockedValue { slots in
                let room = slots.allowance(for: schedule.provider).jobs
                let isWorthIt = room >= slots.worthClaiming(for: schedule.provider)
                if wait <= .zero, !isWorthIt { slots.wait(schedule.provider) }
                return (room, isWorthIt, slots.hasReady, slots.ready(of: schedule.provider) > 0)
            }
            let limit = hasReady ? Slots.patience : configuration.pollInterval
            if wait > .zero { return await bell.wait(atMost: min(wait, limit), clock: clock) }
            if isWorthIt { return }
            // Freed slots ring the bell.
            if room == 0 { return await bell.wait(atMost: limit, clock: clock) }
            // A claim for each freed slot would cost more than the short wait for some to gather; and while jobs wait for a
            // slot, nothing is lost by it.
            let rest = (isSupplied ? Slots.batchTime : Self.gatheringTime) - (now - began)
            guard rest > .zero else { return }
            await bell.wait(atMost: rest, clock: clock)
        }
    }

    private func isIdle() async -> Bool {
        guard configuration.endsWhenIdle, empty.withLockedValue({ $0.count == configuration.providers.count }),
            slots.withLockedValue({ $0.held.isEmpty })
        else {
            return false
        }
        do {
            guard !(try await queue.hasWork(configuration.providers)) else { return false }
            // Rather than a second or two later by the reaper: there is nothing else to do.
            try await Repairs.all(of: queue)
            return !(try await queue.hasWork(configuration.providers))
        } catch {
            return false
        }
    }

    private func drain(_ attempts: inout DiscardingTaskGroup, ringing bell: Bell) async {
        let end = clock.now + configuration.drainTimeout
        while clock.now < end, !Task.isCancelled {
            let isHopeless = self.isHopeless.withLockedValue { $0 }
            guard slots.withLockedValue({ isHopeless ? $0.unended > 0 : !$0.held.isEmpty }) else { return }
            begin(&attempts)
            await bell.wait(atMost: min(end - clock.now, .milliseconds(100)), clock: clock)
        }
    }
}

extension CompletedAttempt {
    /// Whether the next call may begin before this end is written. Only after a success: what else may have happened
    /// can concern the whole provider, and the next claim has to know it.
    var freesSlotAtOnce: Bool { decision.state == .completed }

    /// Whether calls to the provider that have not begun had better not: it is slowed down, shut or unwell.
    var concernsProvider: Bool {
        switch result.outcome {
        case .unauthorized, .throttled, .unavailable, .ambiguous: true
        default: decision.providerHold != nil || decision.opensCircuit
        }
    }
}
