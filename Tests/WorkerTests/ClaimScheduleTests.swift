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
        batch.claims = [ClaimedJob(claim: claim, claimedAt: "now")]
        return batch
    }

    @Test func `claims go on at once while jobs come`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        let isSweep = schedule.claimBegan(at: .zero)
        #expect(isSweep)
        schedule.claimReturned(some(), wasSweep: true, from: .zero, to: .milliseconds(1), pollInterval: Self.poll)
        #expect(schedule.isDue(at: .milliseconds(1)))
    }

    @Test func `an empty queue is looked at once a poll interval, and at once when jobs came`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(
            batch(.empty), wasSweep: true, from: .zero, to: .milliseconds(1), pollInterval: Self.poll)
        #expect(schedule.isEmpty)
        #expect(!schedule.isDue(at: .milliseconds(1000)))
        #expect(schedule.isDue(at: .milliseconds(1001)))
        schedule.jobsCame(at: .milliseconds(3))
        #expect(schedule.isDue(at: .milliseconds(11)))
    }

    @Test func `sweeps take no more than a tenth of the time, whatever asks for them`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(
            batch(.empty), wasSweep: true, from: .zero, to: .milliseconds(50), pollInterval: Self.poll)
        schedule.jobsCame(at: .milliseconds(60))
        #expect(!schedule.isDue(at: .milliseconds(549)))
        #expect(schedule.isDue(at: .milliseconds(550)))
    }

    @Test func `a wake-up is followed by some looks more, for commits that it stood for`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        schedule.jobsCame(at: .zero)
        for (start, next) in [(0, 15), (15, 75), (75, 315), (315, 1316)] {
            let began = Duration.milliseconds(start)
            let isSweep = schedule.claimBegan(at: began)
            #expect(isSweep)
            schedule.claimReturned(
                batch(.empty), wasSweep: isSweep, from: began, to: began + .milliseconds(1), pollInterval: Self.poll)
            #expect(!schedule.isDue(at: .milliseconds(next - 1)))
            #expect(schedule.isDue(at: .milliseconds(next)))
        }
    }

    @Test(arguments: [ClaimBatch.Hint.rate, .inFlight, .held, .circuit])
    func `a limit is tried again when the database says so`(hint: ClaimBatch.Hint) {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        _ = schedule.claimBegan(at: .zero)
        schedule.claimReturned(
            batch(hint, wait: .milliseconds(20)), wasSweep: true, from: .zero, to: .milliseconds(1),
            pollInterval: Self.poll)
        #expect(!schedule.isDue(at: .milliseconds(20)))
        #expect(schedule.isDue(at: .milliseconds(21)))
    }

    @Test func `a failed claim waits`() {
        var schedule = ClaimSchedule(provider: ProviderName("iron"))
        schedule.claimFailed(at: .zero, retryAfter: .milliseconds(500))
        #expect(!schedule.isDue(at: .milliseconds(499)))
        #expect(schedule.isDue(at: .milliseconds(500)))
    }
}
