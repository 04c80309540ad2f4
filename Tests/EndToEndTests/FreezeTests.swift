import Foundation
import TestKit
import Testing

/// A worker that is stopped in the middle of a request and goes on when others have taken its job.
@Suite(.timeLimit(.minutes(5))) struct FreezeTests {
    /// More than the kernels at both ends of a link take.
    private static let job = """
        INSERT INTO onboarding.jobs (kind, payload) VALUES ('axisfi.customer.create', jsonb_build_object(
            'partner_customer_id', 'partner-of-a-large-body-1',
            'business_details', jsonb_build_object('business_name', repeat('n', 8000000)),
            'registration_address', '{}'::jsonb));
        UPDATE onboarding.providers SET effect_horizon = '1 s';
        """

    @Test func `a worker that was stopped within a body does not complete the request`() async throws {
        try await withStage { stage in
            try await stage.run(Self.job)
            let base = try #require(URL(string: stage.simulator.base)?.port)
            let link = try await TCPProxy.start(to: base)
            link.set(.stalled)
            let frozen = try stage.work(
                [], ["ONBOARD_AXISFI_BASE_URL": "http://127.0.0.1:\(link.port)/axisfi", "ONBOARD_HTTP_TIMEOUT": "60s"])
            try await eventually("the call") { try await stage.count("state = 'running'") == 1 }
            // Until the kernels have taken what they take.
            try await Task.sleep(for: .seconds(2))
            frozen.signal(SIGSTOP)
            link.set(.open)
            let other = try stage.work(["--until-idle"], ["ONBOARD_HTTP_TIMEOUT": "15s"])
            let ended = try await other.ended()
            #expect(ended.exitCode == 0, "\(ended.errors.suffix(2000))")
            #expect(try await stage.count("state = 'completed'") == 1)
            #expect(try stage.simulator.effects().count == 1)
            frozen.signal(SIGCONT)
            try await eventually("the end of the frozen worker's call") {
                try await stage.value("SELECT count(*) FROM onboarding.attempts WHERE late") == "1"
            }
            try await Task.sleep(for: .seconds(2))
            #expect(try stage.simulator.effects().count == 1)
            frozen.signal(SIGTERM)
            #expect(try await frozen.ended().exitCode == 0)
            try await link.stop()
        }
    }
}
