import Foundation
import Postgres
import TestKit
import Testing

/// What a worker needs for a large payload, as the kernel counts it.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MemoryTests {
    private static let megabyte = 1 << 20

    /// Name, and the SQL of a payload of some twelve megabytes.
    private static let payloads = [
        (
            "many small values", "iron.customer.create",
            """
            jsonb_build_object('customer_type', 'Person', 'email', 'a@b.c', 'external_id', 'x',
                'more', ('[' || repeat('1,', 3999999) || '1]')::jsonb)
            """
        ),
        (
            "one document", "iron.customer.create",
            """
            jsonb_build_object('customer_type', 'Person', 'email', 'a@b.c', 'external_id', 'y',
                'more', repeat('A', 12000000))
            """
        ),
        (
            "a long list of faults", "axisfi.customer.create",
            """
            jsonb_build_object('partner_customer_id', 'partner-0000000000001', 'business_details', '{}'::jsonb,
                'registration_address', '{}'::jsonb,
                'business_person_list', ('[' || repeat('1,', 3999999) || '1]')::jsonb)
            """
        ),
    ]

    @Test(arguments: payloads.indices)
    func `a large payload takes no more than three times its size`(index: Int) async throws {
        let (name, kind, payload) = Self.payloads[index]
        try await withStage { stage in
            let worker = try stage.work([], ["ONBOARD_HTTP_TIMEOUT": "60s"])
            // What a first call needs anyway is no matter of size.
            try await stage.run(
                """
                INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create',
                    '{"customer_type": "Person", "email": "b@b.c", "external_id": "z"}')
                """)
            try await eventually("the small job") { try await stage.count("state = 'completed'") == 1 }
            let before = try Self.peak(of: worker)
            try await stage.connection.run(
                script: "INSERT INTO onboarding.jobs (kind, payload) SELECT '\(kind)', \(payload)",
                timeout: .seconds(120))
            try await eventually("the large job") {
                try await stage.count("state IN ('completed', 'failed')") == 2
            }
            let size = Double(try await stage.value("SELECT max(payload_bytes) FROM onboarding.jobs") ?? "") ?? 0
            let growth = Double(try Self.peak(of: worker) - before)
            // A part of what was there before is used again; what a debug build adds is not the payload's.
            #expect(growth / size < 3.2, "\(name): \(growth / size) bytes for each byte of \(size)")
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    /// The most memory that a process has had at once, in bytes.
    private static func peak(of program: Program) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(program.processID)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return (Int(line.filter(\.isNumber)) ?? 0) * 1024
    }
}
