import JobModel
import Testing

@Suite struct BackoffTests {
    @Test func `the longest wait doubles from two seconds up to an hour`() {
        var random = FullWait()
        let waits = [0, 1, 2, 10, 11, 12, 1000].map { Backoff().delay(step: $0, using: &random) }
        #expect(waits == [2, 4, 8, 2048, 3600, 3600, 3600].map { .seconds($0) })
    }

    @Test func `waits are spread over the whole range`() {
        var random = Seeded(state: 7)
        let waits = (0..<1000).map { _ in Backoff().delay(step: 3, using: &random) }
        #expect(waits.allSatisfy { $0 >= .zero && $0 <= .seconds(16) })
        #expect(waits.contains { $0 < .seconds(2) })
        #expect(waits.contains { $0 > .seconds(14) })
    }
}
