import SeededRandom
import Testing

@testable import Worker

@Suite struct ClockWatchTests {
    /// A database's clock that is `offset` ahead of this machine's.
    private func read(
        _ watch: inout ClockWatch, at now: Double, took: Double = 0.002, ahead offset: Double
    ) -> Duration? {
        watch.read(
            .seconds(now + offset + took / 2), from: .seconds(now), to: .seconds(now + took))
    }

    @Test(arguments: [3600.0, -600, 3, -3])
    func `a jump is told once, with its size`(jump: Double) throws {
        var watch = ClockWatch()
        for beat in 0..<20 { #expect(read(&watch, at: Double(beat) * 2.5, ahead: 1e9) == nil) }
        let told = try #require(read(&watch, at: 50, ahead: 1e9 + jump))
        #expect(abs(told - .seconds(jump)) < .milliseconds(200))
        for beat in 21..<40 { #expect(read(&watch, at: Double(beat) * 2.5, ahead: 1e9 + jump) == nil) }
    }

    @Test func `small steps add up to a jump`() {
        var watch = ClockWatch()
        var jumps = 0
        for step in 0..<8 where read(&watch, at: Double(step), ahead: 1e9 + Double(step) * 0.7) != nil { jumps += 1 }
        #expect(jumps >= 1)
    }

    @Test(arguments: [500e-6, -500e-6])
    func `a clock that runs fast or slow for a day does not jump`(drift: Double) {
        var watch = ClockWatch()
        for beat in 0..<34_560 {
            let now = Double(beat) * 2.5
            #expect(read(&watch, at: now, ahead: 1e9 + now * drift) == nil)
        }
    }

    @Test func `a worker that was stopped for an hour, in a request or between two, sees no jump`() {
        var watch = ClockWatch()
        #expect(read(&watch, at: 0, ahead: 1e9) == nil)
        #expect(read(&watch, at: 2.5, took: 3600, ahead: 1e9) == nil)
        #expect(read(&watch, at: 7200, ahead: 1e9) == nil)
        // What was seen before the stop still counts.
        #expect(read(&watch, at: 7202, ahead: 1e9 + 20) != nil)
    }

    @Test func `answers that take up to seconds are no jump`() {
        var watch = ClockWatch()
        var random = Seeded(1)
        for beat in 0..<2000 {
            let took = Double.random(in: 0...5, using: &random)
            let part = Double.random(in: 0...1, using: &random)
            let now = Double(beat) * 6
            #expect(
                watch.read(.seconds(now + took * part + 1e9), from: .seconds(now), to: .seconds(now + took)) == nil)
        }
    }
}

private func abs(_ duration: Duration) -> Duration { duration < .zero ? .zero - duration : duration }
