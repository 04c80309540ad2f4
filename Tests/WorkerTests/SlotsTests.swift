import JobModel
import JobQueue
import Testing

@testable import Worker

@Suite struct SlotsTests {
    fileprivate static let iron = ProviderName("iron")
    private static let connect = ProviderName("connect")

    private func claim(_ token: Int64, _ kind: String = "iron.customer.create", bytes: Int = 10) -> Claim {
        Claim(
            id: JobID(token), token: ClaimToken(token), kind: JobKind(kind), idempotencyKey: "key", payload: nil,
            payloadBytes: bytes, bodySHA256: [])
    }

    static let now = ContinuousClock.now
    private static let identity = LeaseTrust.Identity(worker: WorkerID("worker"), epoch: 0)

    fileprivate func ready(_ token: Int64, _ kind: String = "iron.customer.create", bytes: Int = 10) -> ClaimedJob {
        ClaimedJob(claim: claim(token, kind, bytes: bytes), worker: WorkerID("w"), claimedAt: "now")
    }

    /// The tokens of the jobs that may begin, which then have.
    private func begin(_ slots: inout Slots) -> [Int64] {
        var tokens: [Int64] = []
        while let next = slots.next(at: Self.now) { tokens.append(next.job.claim.token.value) }
        return tokens
    }

    @Test func `no provider can take the slots that the others keep`() {
        var slots = Slots(capacity: 16, maxBytes: 1000, providers: 4)
        #expect(slots.allowance(for: Self.iron).jobs == 10)
        for token in 1...10 { slots.take(ready(Int64(token))) }
        #expect(slots.allowance(for: Self.iron).jobs == 0)
        #expect(slots.allowance(for: Self.connect).jobs == 6)
    }

    @Test func `a single provider may take all slots`() {
        #expect(Slots(capacity: 16, maxBytes: 1000, providers: 1).allowance(for: Self.iron).jobs == 16)
    }

    @Test
    func
        `bytes in flight shrink what a claim may bring, and a large job comes alone when it fits or waits behind none of its own`()
    {
        var slots = Slots(capacity: 16, maxBytes: 100, providers: 2)
        #expect(slots.allowance(for: Self.iron) == .init(jobs: 14, bytes: 50, singleBytes: .max))
        slots.take(ready(1, bytes: 90))
        #expect(slots.allowance(for: Self.iron) == .init(jobs: 13, bytes: 5, singleBytes: 10))
        #expect(slots.allowance(for: Self.connect) == .init(jobs: 14, bytes: 5, singleBytes: .max))
        slots.take(ready(2, bytes: 20))
        // Beyond the limit once: not a second time.
        #expect(slots.allowance(for: Self.connect) == .init(jobs: 14, bytes: 0, singleBytes: 0))
        slots.freed(by: claim(1, bytes: 90))
        slots.freed(by: claim(2, bytes: 20))
        #expect(slots.allowance(for: Self.iron) == .init(jobs: 14, bytes: 50, singleBytes: .max))
    }

    @Test func `a claim brings thirty-two megabytes, but a larger job that fits comes alone`() {
        var slots = Slots(capacity: 16, maxBytes: 256 << 20, providers: 1)
        slots.take(ready(1, bytes: 20 << 20))
        #expect(slots.allowance(for: Self.iron) == .init(jobs: 15, bytes: 32 << 20, singleBytes: 236 << 20))
    }

    @Test func `a kind that this program does not know is counted for its provider`() {
        var slots = Slots(capacity: 16, maxBytes: 1000, providers: 4)
        for token in 1...10 { slots.take(ready(Int64(token), "iron.account.close")) }
        #expect(slots.allowance(for: Self.iron).jobs == 0)
        for token in 1...10 { slots.freed(by: claim(Int64(token), "iron.account.close")) }
        #expect(slots.allowance(for: Self.iron).jobs == 10)
        #expect(slots.held.count == 10)
        for token in 1...10 { slots.written(claim(Int64(token), "iron.account.close")) }
        #expect(slots.held.isEmpty)
    }

    @Test func `results that wait to be written stop claims when there are six times as many as slots`() {
        var slots = Slots(capacity: 4, maxBytes: 1000, providers: 1)
        for token in 1...24 {
            slots.take(ready(Int64(token)))
            slots.freed(by: claim(Int64(token)))
        }
        #expect(slots.calling == 0)
        #expect(slots.allowance(for: Self.iron).jobs == 0)
        slots.written(claim(3))
        #expect(slots.allowance(for: Self.iron).jobs == 1)
    }

    @Test func `what claims under way may bring is not claimed again`() {
        var slots = Slots(capacity: 16, maxBytes: 1000, providers: 2)
        #expect(slots.beginClaim(for: Self.iron)?.jobs == 14)
        #expect(slots.beginClaim(for: Self.connect)?.jobs == 2)
        #expect(slots.beginClaim(for: Self.connect) == nil)
        #expect(slots.free == 0)
        slots.endClaim(for: Self.iron, from: Self.now, to: Self.now)
        slots.take(ready(1))
        #expect(slots.free == 13)
        slots.endClaim(for: Self.connect, from: Self.now, to: Self.now)
        #expect(slots.allowance(for: Self.connect).jobs == 14)
    }

    @Test func `two claims are under way at once, and the next is called when one ends`() {
        var slots = Slots(capacity: 64, maxBytes: 1000, providers: 4)
        #expect(slots.beginClaim(for: Self.iron) != nil)
        let juicyway = ProviderName("juicyway")
        // What the others keep is room for it; but not yet.
        #expect(slots.beginClaim(for: Self.connect)?.jobs == 24)
        slots.endClaim(for: Self.iron, from: Self.now, to: Self.now)
        #expect(slots.beginClaim(for: Self.iron)?.jobs == 40)
        #expect(slots.beginClaim(for: juicyway) == nil)
        slots.wait(juicyway)
        #expect(slots.openings() == [])
        slots.endClaim(for: Self.iron, from: Self.now, to: Self.now)
        #expect(slots.openings() == [juicyway])
        #expect(slots.beginClaim(for: juicyway)?.jobs == 40)
    }

    @Test func `a claim that waits for room is called once when it is worth its cost`() {
        var slots = Slots(capacity: 16, maxBytes: 1000, providers: 1)
        for token in 1...16 { slots.take(ready(Int64(token))) }
        slots.freed(by: claim(1))
        slots.freed(by: claim(2))
        #expect(slots.openings() == [])
        slots.wait(Self.iron)
        #expect(slots.openings() == [Self.iron])
        #expect(slots.openings() == [])
        slots.take(ready(17))
        slots.wait(Self.iron)
        #expect(slots.openings() == [])
        slots.freed(by: claim(3))
        #expect(slots.openings() == [Self.iron])
    }

    @Test func `as many more are claimed as slots become free during a claim and ten milliseconds`() {
        var slots = Slots(capacity: 8, maxBytes: 1000, providers: 1)
        var time = Self.now
        slots.makeClaims(whileEnding: 4, at: &time)
        for token in 1...8 { slots.take(ready(Int64(token))) }
        #expect(slots.allowance(for: Self.iron).jobs == 7)
        #expect(slots.worthClaiming(for: Self.iron) == 4)
        for token in 9...15 { slots.claimed(ready(Int64(token)), as: Self.identity, at: Self.now) }
        #expect(slots.allowance(for: Self.iron).jobs == 0)
        #expect(begin(&slots) == [])
        slots.freed(by: claim(3))
        #expect(slots.hasReady)
        #expect(begin(&slots) == [9])
        // Calls have become slow: nothing is claimed that cannot begin.
        slots.makeClaims(whileEnding: 0, at: &time)
        slots.freed(by: claim(4))
        slots.freed(by: claim(5))
        #expect(begin(&slots) == [10, 11])
        #expect(slots.allowance(for: Self.iron).jobs == 0)
        #expect(slots.worthClaiming(for: Self.iron) == 1)
    }

    @Test
    func `calls that ended before a claim count by their pace, and no more are claimed ahead than twice the slots`() {
        var slots = Slots(capacity: 8, maxBytes: 1000, providers: 1)
        var time = Self.now
        // All eight have ended by the time that the claim is made, which takes half of the time between two returns.
        slots.makeClaims(whileEnding: 8, eachAfter: .milliseconds(10), at: &time)
        #expect(slots.allowance(for: Self.iron).jobs == 15)
        slots.makeClaims(whileEnding: 1000, at: &time)
        #expect(slots.allowance(for: Self.iron).jobs == 24)
        #expect(slots.worthClaiming(for: Self.iron) == 24)
    }

    @Test func `what waits for a slot does not take those that others keep, and lets others pass`() {
        var slots = Slots(capacity: 16, maxBytes: 1000, providers: 4)
        for token in 1...10 { slots.take(ready(Int64(token))) }
        slots.claimed(ready(11), as: Self.identity, at: Self.now)
        #expect(begin(&slots) == [])
        slots.claimed(ready(12, "connect.individual.create"), as: Self.identity, at: Self.now)
        #expect(begin(&slots) == [12])
        slots.freed(by: claim(1))
        #expect(begin(&slots) == [11])
    }

    @Test(arguments: [2, 3, 4]) func `one provider that hangs takes nothing from the others, whatever it had waiting`(
        providers: Int
    ) {
        var slots = Slots(capacity: 64, maxBytes: 100_000, providers: providers)
        var time = Self.now
        let ceiling = slots.allowance(for: Self.iron).jobs
        // It was fast, so that as many as may be were claimed ahead; then none of its calls ended any more.
        slots.makeClaims(whileEnding: 200, at: &time)
        for token in 1...(ceiling + 64) { slots.claimed(ready(Int64(token)), as: Self.identity, at: Self.now) }
        #expect(begin(&slots).count == ceiling)
        slots.makeClaims(whileEnding: 0, at: &time)
        #expect(slots.allowance(for: Self.connect).jobs == 64 - ceiling)
    }

    @Test func `what waited too long for a slot is given back, not begun`() {
        var slots = Slots(capacity: 2, maxBytes: 1000, providers: 1)
        for token in 1...2 { slots.take(ready(Int64(token))) }
        slots.claimed(ready(3), as: Self.identity, at: Self.now)
        slots.claimed(ready(4), as: Self.identity, at: Self.now + .milliseconds(50))
        #expect(slots.giveBackStale(at: Self.now + .milliseconds(99)).isEmpty)
        slots.freed(by: claim(1))
        #expect(slots.next(at: Self.now + .milliseconds(120))?.job.claim.token.value == 4)
        #expect(slots.giveBackStale(at: Self.now + .milliseconds(120)).map(\.claim.token.value) == [3])
        #expect(!slots.hasReady)
        // It counts until its end is written.
        #expect(slots.calling == 3)
        slots.freed(by: claim(3))
        slots.written(claim(3))
        #expect(slots.calling == 2)
    }

    @Test func `what waits for one provider is given back with its trouble, the others' stays`() {
        var slots = Slots(capacity: 4, maxBytes: 1000, providers: 2)
        var time = Self.now
        for token in 1...3 { slots.claimed(ready(Int64(token)), as: Self.identity, at: Self.now) }
        slots.claimed(ready(4, "connect.individual.create"), as: Self.identity, at: Self.now)
        #expect(Set(slots.giveBack(of: Self.iron).map(\.claim.token.value)) == [1, 2, 3])
        #expect(slots.giveBack().map(\.claim.token.value) == [4])
        // Nor is anything claimed ahead while calls go wrong.
        slots.makeClaims(whileEnding: 2, at: &time)
        let free = slots.free
        _ = slots.giveBack(of: Self.iron)
        #expect(slots.free == free - 3)
    }
}

extension Slots {
    /// Claims one and begins it.
    fileprivate mutating func take(_ job: ClaimedJob) {
        claimed(job, as: LeaseTrust.Identity(worker: WorkerID("worker"), epoch: 0), at: SlotsTests.now)
        _ = next(at: SlotsTests.now)
    }

    /// As if forty claims were made, each `pause` after the one before, and so many calls had ended with each.
    fileprivate mutating func makeClaims(
        whileEnding count: Int, eachAfter pause: Duration = .zero, taking duration: Duration = .milliseconds(10),
        at time: inout ContinuousClock.Instant
    ) {
        for _ in 0..<40 {
            for token in 0..<count {
                let job = SlotsTests().ready(-1 - Int64(token))
                take(job)
                freed(by: job.claim)
                written(job.claim)
            }
            let start = time + pause
            time = start + duration
            endClaim(for: SlotsTests.iron, from: start, to: time)
        }
    }
}
