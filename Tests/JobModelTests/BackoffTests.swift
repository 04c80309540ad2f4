import JobModel
import Testing

@Suite struct BackoffTests {
    @Test func `the longest wait doubles from two seconds up to an hour`() {
        let waits = [0, 1, 2, 10, 11, 12, 1000].map { Backoff().delay(step: $0, jitter: 1) }
        #expect(waits == [2, 4, 8, 2048, 3600, 3600, 3600].map { .seconds($0) })
    }

    @Test func `the wait is a part of the longest, down to nothing`() {
        #expect(Backoff().delay(step: 3, jitter: 0) == .zero)
        #expect(Backoff().delay(step: 3, jitter: 0.25) == .seconds(4))
    }
}
