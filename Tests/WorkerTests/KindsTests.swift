import Contracts
import JobModel
import Kinds
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
            #expect(Registry.shipped.kinds.map(\.kind.value).sorted() == kinds)
        }
    }

    /// Payloads that keep their contracts.
    private static let valid = [
        "iron.customer.create": #"{"customer_type": "Person", "email": "a@b.c", "external_id": "u", "name": "A"}"#,
        "iron.identification.create": #"{"type": "Direct"}"#,
        "connect.individual.create":
            #"{"email": "a@b.c", "phoneNumber": "+49 1", "phoneCountryCode": "49", "basicData": {"gender": ""}, "taxInformation": {}, "identification": {}, "mainAddress": {}, "isPep": true, "pepExplanation": "x"}"#,
        "axisfi.customer.create":
            #"{"partner_customer_id": "partner-0000000000001", "business_details": {}, "registration_address": {}, "account_usage": {}, "primary_contact": {}, "business_person_list": []}"#,
        "juicyway.customer.create":
            #"{"first_name": "Z", "last_name": "N", "email": "z@b.c", "phone": "1", "type": "individual", "billing_address": {"line1": "R", "line2": null, "city": "L", "state": "L", "zip_code": "1", "country": "NG"}}"#,
    ]

    @Test(arguments: Registry.shipped.kinds.map(\.kind))
    func `INSERT refuses what the contract refuses at the top level, and nothing else`(kind: JobKind) async throws {
        let contract = try #require(Registry.shipped[kind]).contract
        let text = try #require(Self.valid[kind.value])
        guard case .object(let valid) = try JSONValue(parsing: Array(text.utf8)) else { return }
        let odd: [JSONValue?] = [
            nil, .null, .bool(true), .number("1"), .array([]), .object([:]), .string(""), .string("DE"),
            .string("12345"),
            .string("+1 (2)-3"), .string("a@b"), .string("a b@c"), .string("a@b\n"), .string("1\n"), .string("Person"),
            .string(String(repeating: "😀", count: 64)), .string(String(repeating: "x", count: 101)),
        ]
        var payloads: [JSONValue] = [.object(valid)]
        for field in valid.keys {
            for value in odd {
                var members = valid
                members[field] = value
                payloads.append(.object(members))
            }
        }
        try await withBench { bench in
            let rules = "SELECT fields = '\(contract.topLevelRules.serialized)'::jsonb FROM onboarding.kinds"
            #expect(try await bench.value("\(rules) WHERE kind = '\(kind)'") == "true")
            try await bench.run(
                """
                CREATE FUNCTION public.verdict(body jsonb) RETURNS text LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM onboarding.check_payload('\(kind)', body);
                    RETURN 'fine';
                EXCEPTION WHEN check_violation THEN RETURN SQLERRM;
                END $$
                """)
            for payload in payloads {
                let text = payload.serialized
                let ours = contract.faults(in: try JSONView(parsing: Array(text.utf8)), keeping: .max).first
                    .filter { $0.path.split(separator: "/").count == 1 }
                let theirs = try #require(try await bench.value("SELECT public.verdict($json$\(text)$json$)"))
                #expect(ours.isEmpty == (theirs == "fine"), "\(text): \(theirs)")
                if let field = ours.first?.path.dropFirst() { #expect(theirs.contains(field), "\(theirs)") }
            }
        }
    }

    /// The take-over reads the table, the attempt reads the policy: both must treat a lost answer alike.
    @Test(arguments: Registry.shipped.kinds.map(\.kind))
    func `a lost answer is treated alike by the database and by the attempt`(kind: JobKind) async throws {
        let definition = try #require(Registry.shipped[kind])
        let expected =
            switch definition.policy.resend {
            case .underSameKey: "same_key"
            case .afterLookUp: "look_up"
            case .never: "none"
            }
        try await withBench { bench in
            let row = try await bench.value(
                "SELECT lost_answer || ' ' || provider FROM onboarding.kinds WHERE kind = '\(kind)'")
            #expect(row == "\(expected) \(definition.provider)")
        }
    }
}
