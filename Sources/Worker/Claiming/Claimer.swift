import JobModel
import JobQueue
import Logging
import NIOConcurrencyHelpers

/// Claims jobs for slots that are free, or soon will be, and runs an attempt for each.
final class Claimer: Sendable {
    /// How long a few free slots wait for more.
    private static let gatheringTime: Duration = .milliseconds(2)

    private let queue: Queue
    private let runner: AttemptRunner
    private let completer: Completer
    private let trust: LeaseTrust
    private let configuration: WorkerConfiguration
    private let slots: NIOLockedValueBox<Slots>
    private let bell: Bell
    /// The providers of which jobs may have come since the last look.
    private let jobsCame: NIOLockedValueBox<Set<ProviderName>>
    private let isStopping = NIOLockedValueBox(false)
    private let logger: Logger
    private let clock = ContinuousClock()

    init(
        queue: Queue, runner: AttemptRunner, completer: Completer, trust: LeaseTrust,
        configuration: WorkerConfiguration,
        slots: NIOLockedValueBox<Slots>, bell: Bell, logger: Logger
    ) {
        self.queue = queue
        self.runner = runner
        self.completer = completer
        self.trust = trust
        self.configuration = configuration
        self.slots = slots
        self.bell = bell
        self.logger = logger
        jobsCame = NIOLockedValueBox(Set(configuration.providers))
    }

    /// Jobs of a provider may have come, or of any where none is given.
    func wake(_ provider: ProviderName?) {
        guard let provider else {
            jobsCame.withLockedValue { $0 = Set(configuration.providers) }
            return bell.ring()
        }
        guard configuration.providers.contains(provider) else { return }
        jobsCame.withLockedValue { _ = $0.insert(provider) }
        bell.ring()
    }

    /// Stops claiming; `run` then returns when the attempts in flight have ended or the drain time is over.
    func stop() {
        isStopping.withLockedValue { $0 = true }
        bell.ring()
    }

    /// Whether it claims no more.
    var isDraining: Bool { isStopping.withLockedValue { $0 } }

    /// Claims and runs attempts until stopped, cancelled or, if so configured, idle.
    func run() async {
        await withDiscardingTaskGroup { attempts in
            var schedules = configuration.providers.map(ClaimSchedule.init(provider:))
            let start = clock.now
            while !isDraining, !Task.isCancelled {
                let came = jobsCame.withLockedValue { came in
                    defer { came = [] }
                    return came
                }
                for index in schedules.indices where came.contains(schedules[index].provider) {
                    schedules[index].jobsCame(at: clock.now - start)
                }
                begin(&attempts)
                let claimed = await round(&schedules, since: start, into: &attempts)
                if claimed == 0, await isIdle(schedules) { break }
                await pause(schedules, since: start)
                schedules.append(schedules.removeFirst())
            }
            isStopping.withLockedValue { $0 = true }
            await drain(&attempts)
            attempts.cancelAll()
        }
    }

    /// Claims once from each provider that is due. Returns how many jobs came.
    private func round(
        _ schedules: inout [ClaimSchedule], since start: ContinuousClock.Instant,
        into attempts: inout DiscardingTaskGroup
    ) async -> Int {
        var claimed = 0
        for index in schedules.indices where schedules[index].isDue(at: clock.now - start) && !isDraining {
            let provider = schedules[index].provider
            let allowance = slots.withLockedValue { $0.allowance(for: provider) }
            guard allowance.jobs > 0 else { continue }
            let began = clock.now - start
            let wasSweep = schedules[index].claimBegan(at: began)
            let identity = trust.identity
            do {
                let batch = try await queue.claim(
                    provider, for: identity.worker, wanted: allowance.jobs, byteBudget: allowance.bytes,
                    singleBudget: allowance.singleBytes, lease: configuration.lease, cursor: &schedules[index].cursor)
                schedules[index].claimReturned(
                    batch, wasSweep: wasSweep, from: began, to: clock.now - start,
                    pollInterval: configuration.pollInterval)
                slots.withLockedValue { slots in
                    let now = clock.now
                    slots.claimReturned(from: start + began, to: now)
                    for job in batch.claims { slots.claimed(job, as: identity, at: now) }
                }
                begin(&attempts)
                claimed += batch.claims.count
            } catch {
                logger.warning("could not claim", metadata: ["provider": "\(provider)", "error": "\(error)"])
                schedules[index].claimFailed(
                    at: clock.now - start, retryAfter: min(.milliseconds(500), configuration.pollInterval))
            }
        }
        return claimed
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
            let mayClaim = slots.withLockedValue { slots in
                next = nil
                if end.freesSlotAtOnce {
                    slots.freed(by: ready.job.claim)
                    if !isDraining { next = slots.next(at: clock.now) }
                } else if end.concernsProvider {
                    givenBack = slots.giveBack(of: ready.job.claim.kind.provider)
                }
                return slots.free >= slots.worthClaiming
            }
            completer.add(end)
            for job in givenBack { completer.add(runner.handBack(job)) }
            if mayClaim { bell.ring() }
        }
    }

    /// Waits for what may let more be claimed: freed slots, a notification, a time.
    private func pause(_ schedules: [ClaimSchedule], since start: ContinuousClock.Instant) async {
        let began = clock.now
        while !isDraining, !Task.isCancelled {
            let (open, worthClaiming) = slots.withLockedValue { slots in
                let rooms = schedules.map { (next: $0.nextClaim, room: slots.allowance(for: $0.provider).jobs) }
                return (rooms.filter { $0.room > 0 }, slots.worthClaiming)
            }
            let now = clock.now
            let room = open.filter { $0.next <= now - start }.map(\.room).max() ?? 0
            if room >= worthClaiming { return }
            if room > 0 {
                // A claim for each freed slot would cost more than the short wait for some to gather.
                let rest = Self.gatheringTime - (now - began)
                guard rest > .zero else { return }
                await bell.wait(atMost: rest, clock: clock)
                continue
            }
            // Where no provider has a free slot, freed ones ring the bell.
            let wait = (open.map(\.next).min() ?? .seconds(3600)) - (now - start)
            let limit = slots.withLockedValue { $0.hasReady } ? Slots.patience : configuration.pollInterval
            return await bell.wait(atMost: min(wait, limit), clock: clock)
        }
    }

    private func isIdle(_ schedules: [ClaimSchedule]) async -> Bool {
        guard configuration.endsWhenIdle, schedules.allSatisfy(\.isEmpty), slots.withLockedValue({ $0.held.isEmpty })
        else {
            return false
        }
        do {
            return !(try await queue.hasWork(configuration.providers))
        } catch {
            return false
        }
    }

    private func drain(_ attempts: inout DiscardingTaskGroup) async {
        let end = clock.now + configuration.drainTimeout
        while slots.withLockedValue({ !$0.held.isEmpty }), clock.now < end, !Task.isCancelled {
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
