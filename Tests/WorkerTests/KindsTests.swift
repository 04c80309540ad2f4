import Contracts
import JobModel
import Providers
import Testing

/// What the program knows of each kind and what the database knows of it, against each other: a kind
/// that is added to one of the three places only fails here.
@Suite struct KindsTests {
    @Test func `every kind has a row, a contract and an operation`() async throws {
        try await withBench { bench in
            let rows = try #require(
                try await bench.value("SELECT string_agg(kind, ' ' ORDER BY kind) FROM onboarding.kinds"))
            let kinds = rows.split(separator: " ").map(String.init)
            #expect(Contract.all.map(\.kind.value).sorted() == kinds)
            #expect(OperationRegistry.all.map(\.kind.value).sorted() == kinds)
        }
    }

    @Test(arguments: Contract.all.map(\.kind))
    func `INSERT asks for the fields that the contract requires`(kind: JobKind) async throws {
        let contract = try #require(Contract.of(kind))
        try await withBench { bench in
            let fields = try await bench.value(
                "SELECT array_to_string(required_fields, ',') FROM onboarding.kinds WHERE kind = '\(kind)'")
            #expect(fields == contract.requiredTopLevelFields.joined(separator: ","))
        }
    }

    /// The take-over reads the table, the attempt reads the policy: both must treat a lost answer alike.
    @Test(arguments: OperationRegistry.all.map(\.kind))
    func `a lost answer is treated alike by the database and by the attempt`(kind: JobKind) async throws {
        let operation = try #require(OperationRegistry.operation(of: kind))
        let expected =
            switch operation.policy.resend {
            case .underSameKey: "same_key"
            case .afterLookUp: "look_up"
            case .never: "none"
            }
        try await withBench { bench in
            let row = try await bench.value(
                "SELECT lost_answer || ' ' || provider FROM onboarding.kinds WHERE kind = '\(kind)'")
            #expect(row == "\(expected) \(operation.provider)")
        }
    }
}
