import Foundation
import Testing

@testable import Worker

/// Not a measurement to rely on, but a floor that shows when something became slow by an order.
@Suite struct ThroughputTests {
    @Test func `a queue with an in-process provider drains by the thousand`() async throws {
        let wanted = ProcessInfo.processInfo.environment["ONBOARD_THROUGHPUT_JOBS"].flatMap(Int.init) ?? 2000
        try await withBench { bench in
            try await bench.enqueue(count: wanted)
            let caller = ScriptedCaller()
            let start = ContinuousClock.now
            try await bench.drain(caller) { $0.concurrency = 100 }
            let took = ContinuousClock.now - start
            #expect(try await bench.states() == "completed=\(wanted)")
            #expect(took < .seconds(max(60, wanted / 100)))
            if wanted > 2000 { print("\(wanted) jobs in \(took): \(Double(wanted) / (took / .seconds(1))) a second") }
        }
    }
}
