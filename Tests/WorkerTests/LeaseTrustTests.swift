import JobModel
import Testing

@testable import Worker

@Suite struct LeaseTrustTests {
    @Test func `calls may be started only for so long after the last renewal was asked for`() {
        let trust = LeaseTrust(worker: WorkerID("a"), trusted: .seconds(7))
        let start = ContinuousClock.now
        #expect(!trust.holds(for: trust.identity, at: start))
        trust.renewed(from: start)
        #expect(trust.holds(for: trust.identity, at: start + .milliseconds(6999)))
        #expect(!trust.holds(for: trust.identity, at: start + .seconds(7)))
    }

    @Test func `claims made under a lost name are not called, though the worker goes on`() {
        let trust = LeaseTrust(worker: WorkerID("a"), trusted: .seconds(7))
        let start = ContinuousClock.now
        trust.renewed(from: start)
        let old = trust.identity
        trust.lost(continuingAs: WorkerID("b"))
        #expect(!trust.holds(for: trust.identity, at: start))
        trust.renewed(from: start)
        #expect(!trust.holds(for: old, at: start))
        #expect(trust.holds(for: trust.identity, at: start))
    }
}
