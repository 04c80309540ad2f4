import Foundation
import TestKit
import Testing

/// What a provider does after its call has ended: the ledger of effects decides.
@Suite(.serialized) struct EffectTests {
    private static let late =
        #"{"provider": "axisfi", "method": "POST", "fault": "late_effect", "milliseconds": 3500, "first": 1}"#

    /// The one customer is found, however late it came and however quick all calls before were.
    private func expectOneCustomerEach(_ stage: Stage, jobs: Int) async throws {
        try await eventually("all jobs end") { try await stage.count("state = 'completed'") == jobs }
        #expect(try stage.simulator.effects().count == jobs)
        #expect(try stage.simulator.keysWithSeveralEffects() == [])
        #expect(
            try await stage.value("SELECT outcome FROM onboarding.attempts ORDER BY finished_at DESC LIMIT 1")
                == "adopted")
    }

    @Test func `a slow call whose worker is killed creates one customer, after many quick ones`() async throws {
        try await withStage(["--accept-duplicates"]) { stage in
            try await stage.run(Load.axisfi(40))
            let victim = try stage.work()
            try await eventually("the quick calls end") { try await stage.count("state = 'completed'") == 40 }
            try stage.simulator.setFaults([Self.late])
            try await stage.run(Load.axisfi(1, prefix: "slow"))
            try await eventually("the slow call begins") {
                try await stage.count("marked_at IS NOT NULL AND state = 'running'") == 1
            }
            try await Task.sleep(for: .milliseconds(300))
            victim.signal(SIGKILL)
            // Another takes over as soon as the lease ends, long before the effect would be believed not to come.
            try await stage.run("UPDATE onboarding.worker_leases SET lease_expires_at = now()")
            let survivor = try stage.work()
            try await expectOneCustomerEach(stage, jobs: 41)
            survivor.signal(SIGTERM)
            _ = try await survivor.ended()
            _ = try await victim.ended()
        }
    }

    @Test func `an effect that comes after its call has run out of time is found and not repeated`() async throws {
        try await withStage(["--accept-duplicates"]) { stage in
            let worker = try stage.work([], ["ONBOARD_HTTP_TIMEOUT": "500ms"])
            try stage.simulator.setFaults([Self.late])
            try await stage.run(Load.axisfi(1))
            try await expectOneCustomerEach(stage, jobs: 1)
            worker.signal(SIGTERM)
            _ = try await worker.ended()
        }
    }

    @Test(arguments: [
        (#""external_id": "user-1""#, "cut", "cancelled"), (#""external_id": "user-1""#, "status", "cancelled"),
        (#""name": "Ada""#, "cut", "uncertain"), (#""name": "Ada""#, "status", "uncertain"),
        (#""external_id": "user-1""#, "lost_answer", "completed"),
    ])
    func `nothing that creates is sent after a cancel`(field: String, fault: String, end: String) async throws {
        try await withStage { stage in
            try stage.simulator.setFaults([
                #"{"provider": "iron", "method": "POST", "fault": "\#(fault)", "first": 1}"#
            ])
            try await stage.run("UPDATE onboarding.providers SET effect_horizon = '1 s'")
            try await stage.run(
                """
                INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create',
                    '{"customer_type": "Person", "email": "ada@example.com", \(field)}')
                """)
            let worker = try stage.work()
            try await eventually("the first call ends") {
                try await stage.count("last_sent_at IS NOT NULL AND state = 'available'") == 1
            }
            try await stage.run(
                "UPDATE onboarding.jobs SET run_at = now() + interval '1 h'; SELECT onboarding.cancel(1, 'withdrawn')")
            try await eventually("the job ends") { try await stage.count("state = '\(end)'") == 1 }
            #expect(try stage.simulator.effects().count == (fault == "lost_answer" ? 1 : 0))
            #expect(
                try await stage.value(
                    "SELECT count(*) FROM onboarding.attempts WHERE step = 'create' AND sent_at IS NOT NULL")
                    == "1")
            worker.signal(SIGTERM)
            _ = try await worker.ended()
        }
    }
}
