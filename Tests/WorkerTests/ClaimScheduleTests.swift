import JobModel
import JobQueue
import Testing

@testable import Worker

@Suite struct ClaimScheduleTests {
    private static let poll = Duration.seconds(1)

    private func batch(_ hint: ClaimBatch.Hint?, wait: Duration? = nil) -> ClaimBatch {
        var batch = ClaimBatch()
        batch.hint = hint
        batch.wait = wait
        return batch
    }

    private func some() -> ClaimBatch {
        var batch = ClaimBatch()
        let claim = Claim(
            id: JobID(1), token: ClaimToken(1), kind: JobKind("iron.customer.create"), idempotencyKey: "key",
            payload: nil, payloadBytes: 1, bodySHA256: [])
        batch.claims = [ClaimedJob(claim: claim, worker: WorkerID("w"), claimedAt: "now")]
        return batch
    }

    @Test func `claims go on at once while jobs come`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        let look = schedule.claimBegan(at: .zero)
        #expect(look == .sweep)
        schedule.claimReturned(some(), from: .sweep, start: .zero, end: .milliseconds(1), pollInterval: Self.poll)
        #expect(schedule.isDue(at: .milliseconds(1)))
    }

    @Test func `an empty queue is looked at once a poll interval, and at once when jobs came`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(
            batch(.empty), from: .sweep, start: .zero, end: .milliseconds(1), pollInterval: Self.poll)
        #expect(schedule.isEmpty)
        #expect(!schedule.isDue(at: .milliseconds(1000)))
        #expect(schedule.isDue(at: .milliseconds(1001)))
        schedule.jobsCame(at: .milliseconds(3))
        #expect(schedule.isDue(at: .milliseconds(3)))
    }

    @Test func `sweeps take a tenth of the time, and long ones a hundredth, whatever asks for them`() {
        for (took, next) in [(10, 110), (20, 220), (21, 2121), (200, 20200), (4000, 34000)] {
            var schedule = ClaimSchedule(provider: ProviderName("iron"))
            _ = schedule.claimBegan(at: .zero)
            schedule.claimReturned(
                some(), from: .sweep, start: .zero, end: .milliseconds(took), pollInterval: Self.poll)
            schedule.jobsCame(at: .milliseconds(took + 1))
            let before = schedule.claimBegan(at: .milliseconds(next - 1))
            #expect(before == .back, "after \(took)")
            schedule.jobsCame(at: .milliseconds(next - 1))
            let after = schedule.claimBegan(at: .milliseconds(next))
            #expect(after == .sweep, "after \(took)")
        }
    }

    @Test func `a sweep that finds what only it could, or takes no longer than going on, is soon followed by another`()
    {
        for (cameFromFarBack, onward, next) in [(true, 1, 600), (false, 25, 600), (false, 24, 5100), (true, 60, 600)] {
            var schedule = ClaimSchedule(provider: ProviderName("iron"))
            schedule.claimReturned(
                some(), from: .onward, start: .zero, end: .milliseconds(onward), pollInterval: Self.poll)
            var batch = some()
            batch.cameFromFarBack = cameFromFarBack
            schedule.claimReturned(
                batch, from: .sweep, start: .milliseconds(50), end: .milliseconds(100), pollInterval: Self.poll)
            let before = schedule.claimBegan(at: .milliseconds(next - 1))
            #expect(before == .back, "\(next)")
            let after = schedule.claimBegan(at: .milliseconds(next))
            #expect(after == .sweep, "\(next)")
        }
    }

    @Test func `looks back take a tenth of the time, whatever asks for them`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(some(), from: .sweep, start: .zero, end: .milliseconds(100), pollInterval: Self.poll)
        schedule.jobsCame(at: .milliseconds(100))
        let first = schedule.claimBegan(at: .milliseconds(100))
        #expect(first == .back)
        schedule.claimReturned(
            some(), from: first, start: .milliseconds(100), end: .milliseconds(120), pollInterval: Self.poll)
        schedule.jobsCame(at: .milliseconds(130))
        let second = schedule.claimBegan(at: .milliseconds(319))
        #expect(second == .onward)
        let third = schedule.claimBegan(at: .milliseconds(320))
        #expect(third == .back)
    }

    @Test func `what a look back does not find is looked for from the start when that is due`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(some(), from: .sweep, start: .zero, end: .milliseconds(10), pollInterval: Self.poll)
        schedule.claimReturned(
            batch(.empty), from: .back, start: .milliseconds(20), end: .milliseconds(21), pollInterval: Self.poll)
        #expect(!schedule.isDue(at: .milliseconds(109)))
        #expect(schedule.isDue(at: .milliseconds(110)))
    }

    @Test func `a wake-up is followed by some looks more, for commits that it stood for`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        schedule.jobsCame(at: .zero)
        for (start, next) in [(0, 15), (15, 75), (75, 315), (315, 1316)] {
            let began = Duration.milliseconds(start)
            let look = schedule.claimBegan(at: began)
            #expect(look == .sweep)
            schedule.claimReturned(
                batch(.empty), from: look, start: began, end: began + .milliseconds(1), pollInterval: Self.poll)
            #expect(!schedule.isDue(at: .milliseconds(next - 1)))
            #expect(schedule.isDue(at: .milliseconds(next)))
        }
    }

    @Test(arguments: [ClaimBatch.Hint.rate, .inFlight, .held, .circuit])
    func `a limit is tried again when the database says so`(hint: ClaimBatch.Hint) {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(
            batch(hint, wait: .milliseconds(20)), from: .sweep, start: .zero, end: .milliseconds(1),
            pollInterval: Self.poll)
        #expect(!schedule.isDue(at: .milliseconds(20)))
        #expect(schedule.isDue(at: .milliseconds(21)))
    }

    @Test func `a failed claim waits`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        schedule.claimFailed(from: .sweep, isTimeout: false, at: .zero, retryAfter: .milliseconds(500))
        #expect(!schedule.isDue(at: .milliseconds(499)))
        #expect(schedule.isDue(at: .milliseconds(500)))
        let look = schedule.claimBegan(at: .milliseconds(500))
        #expect(look == .sweep)
    }

    @Test func `a sweep that takes too long keeps nobody from going on`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        schedule.claimFailed(from: .sweep, isTimeout: true, at: .zero, retryAfter: .milliseconds(500))
        schedule.jobsCame(at: .seconds(1))
        schedule.claimFailed(from: .onward, isTimeout: true, at: .seconds(2), retryAfter: .milliseconds(500))
        schedule.jobsCame(at: .seconds(29))
        let look = schedule.claimBegan(at: .seconds(29))
        #expect(look == .back)
        let sweep = schedule.claimBegan(at: .seconds(30))
        #expect(sweep == .sweep)
    }
}
