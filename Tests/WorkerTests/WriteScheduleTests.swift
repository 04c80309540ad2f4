import Testing

@testable import Worker

@Suite struct WriteScheduleTests {
    private let start = ContinuousClock.now

    private func after(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test func `nothing is written while nothing waits`() {
        #expect(WriteSchedule().delay(waiting: 0, unended: 10, at: start) == nil)
    }

    @Test func `results wait ten milliseconds for more, or until there are half as many as jobs that have not ended`() {
        var schedule = WriteSchedule()
        schedule.firstCame(at: after(100))
        #expect(schedule.delay(waiting: 1, unended: 40, at: after(101)) == .milliseconds(9))
        #expect(schedule.delay(waiting: 19, unended: 40, at: after(110)) == .zero)
        #expect(schedule.delay(waiting: 20, unended: 40, at: after(101)) == .zero)
        #expect(schedule.delay(waiting: 99, unended: 1000, at: after(101)) == .milliseconds(9))
        #expect(schedule.delay(waiting: 100, unended: 1000, at: after(101)) == .zero)
    }

    @Test func `the last results do not wait`() {
        var schedule = WriteSchedule()
        schedule.firstCame(at: start)
        #expect(schedule.delay(waiting: 1, unended: 2, at: start) == .zero)
        #expect(schedule.delay(waiting: 1, unended: 0, at: start) == .zero)
    }

    @Test func `a second write begins when there is much for it, and no third`() {
        var schedule = WriteSchedule()
        schedule.began(at: start)
        #expect(schedule.delay(waiting: 199, unended: 0, at: after(1000)) == nil)
        #expect(schedule.delay(waiting: 200, unended: 0, at: start) == .zero)
        schedule.began(at: start)
        #expect(schedule.delay(waiting: 10_000, unended: 0, at: after(1000)) == nil)
    }

    @Test func `a slow write leaves others as much time as it took, to fifty milliseconds`() {
        var schedule = WriteSchedule()
        schedule.began(at: start)
        schedule.ended(from: start, to: after(30))
        #expect(schedule.delay(waiting: 5, unended: 40, at: after(30)) == .milliseconds(30))
        #expect(schedule.delay(waiting: 20, unended: 40, at: after(30)) == .zero)
        schedule.began(at: after(30))
        schedule.ended(from: after(30), to: after(1030))
        #expect(schedule.delay(waiting: 5, unended: 40, at: after(1030)) == .milliseconds(50))
    }

    @Test func `a result is news that is the first to wait, or makes enough`() {
        var schedule = WriteSchedule()
        #expect(schedule.isNews(waiting: 1, unended: 40))
        #expect(!schedule.isNews(waiting: 2, unended: 40))
        #expect(schedule.isNews(waiting: 20, unended: 40))
        schedule.began(at: start)
        #expect(!schedule.isNews(waiting: 1, unended: 40))
        #expect(schedule.isNews(waiting: 200, unended: 40))
    }
}
