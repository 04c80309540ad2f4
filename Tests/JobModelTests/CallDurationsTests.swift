import Testing

@testable import JobModel

@Suite struct CallDurationsTests {
    private let start = ContinuousClock.now

    private func durations(_ count: Int, _ took: Duration, at moment: Duration = .zero) -> CallDurations {
        var durations = CallDurations()
        for _ in 0..<count { durations.ended(at: start + moment, after: took) }
        return durations
    }

    @Test func `what is not known is assumed`() {
        #expect(CallDurations().longest(at: start, assuming: .seconds(30)) == .seconds(30))
        #expect(durations(15, .milliseconds(20)).longest(at: start, assuming: .seconds(30)) == .seconds(30))
    }

    @Test func `many fast calls make a slow one unlikely, for ten minutes`() {
        let known = durations(16, .milliseconds(20))
        #expect(known.longest(at: start + .seconds(1), assuming: .seconds(30)) == .milliseconds(80))
        #expect(known.longest(at: start + .seconds(601), assuming: .seconds(30)) == .seconds(30))
    }

    @Test func `one slow call among them counts until it is forgotten`() {
        var known = durations(20, .milliseconds(20))
        known.ended(at: start, after: .seconds(6))
        #expect(known.longest(at: start, assuming: .seconds(30)) == .seconds(24))
        known.ended(at: start, after: .seconds(30))
        #expect(known.longest(at: start, assuming: .seconds(30)) == .seconds(30))
        for _ in 0..<64 { known.ended(at: start, after: .milliseconds(10)) }
        #expect(known.longest(at: start, assuming: .seconds(30)) == .milliseconds(40))
    }
}
