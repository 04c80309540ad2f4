import Testing

@testable import Postgres

@Suite struct StatementProgressTests {
    private let start = ContinuousClock.now

    private func progress(grace: Duration = .seconds(3), patience: Duration = .seconds(60)) -> StatementProgress {
        StatementProgress(now: start, deadline: start + .seconds(10), grace: grace, patience: patience)
    }

    @Test func `a slow server is asked now and then whether it lives, and given up when it does not`() {
        var progress = progress(patience: .seconds(2))
        #expect(progress.next(now: start, isCancelled: false) == .wait(until: start + .seconds(2)))
        #expect(progress.next(now: start + .seconds(2), isCancelled: false) == .ping)
        let deadline = start + .seconds(10)
        #expect(progress.next(now: start + .seconds(3), isCancelled: false) == .wait(until: deadline))
        let alive = progress.next(now: start + .seconds(4), isCancelled: false, isAnswered: true)
        #expect(alive == .wait(until: start + .seconds(6)))
        #expect(progress.next(now: start + .seconds(6), isCancelled: false, isAnswered: true) == .ping)
        #expect(progress.next(now: start + .seconds(8), isCancelled: false, isAnswered: false) == .abandon)
        #expect(progress.stop == .silent)
    }

    @Test func `without a grace nothing is cancelled: who is late is silent`() {
        var progress = progress(grace: .zero)
        #expect(progress.next(now: start, isCancelled: true) == .wait(until: start + .seconds(10)))
        #expect(progress.next(now: start + .seconds(10), isCancelled: true) == .abandon)
        #expect(progress.stop == .silent)
    }

    @Test func `it waits until the deadline, then cancels once, then gives up`() {
        var progress = progress()
        #expect(progress.next(now: start, isCancelled: false) == .wait(until: start + .seconds(10)))
        #expect(progress.next(now: start + .seconds(10), isCancelled: false) == .requestCancel)
        #expect(progress.stop == .timedOut)
        let giveUpAt = start + .seconds(13)
        #expect(progress.next(now: start + .seconds(11), isCancelled: true) == .wait(until: giveUpAt))
        #expect(progress.next(now: giveUpAt, isCancelled: false) == .abandon)
    }

    @Test func `a cancelled task is the reason even when the deadline has passed`() {
        var progress = progress()
        #expect(progress.next(now: start + .seconds(20), isCancelled: true) == .requestCancel)
        #expect(progress.stop == .cancelled)
    }

    @Test func `the connection is free at once when nothing was cancelled`() {
        #expect(progress().finish(now: start + .seconds(20), cancelArrived: false) == nil)
    }

    @Test func `a cancel request under way is waited for, but not for ever`() {
        var progress = progress()
        _ = progress.next(now: start, isCancelled: true)
        #expect(progress.finish(now: start, cancelArrived: false) == .wait(until: start + .seconds(3)))
        #expect(progress.finish(now: start + .seconds(3), cancelArrived: false) == .abandon)
        #expect(progress.finish(now: start, cancelArrived: true) == nil)
    }
}
