import Contracts
import JobModel
import JobQueue
import Kinds
import Providers
import Testing

/// Every definition against all that reads it: what one lacks would show nowhere else, or only in production.
@Suite struct KindsTests {
    private static let kinds = Registry.shipped.kinds.map(\.kind)

    @Test(arguments: kinds) func `a definition lacks nothing`(kind: JobKind) throws {
        let definition = try #require(Registry.shipped[kind])
        let provider = try #require(Registry.shipped.providers.first { $0.name == kind.provider })
        #expect(kind.value.split(separator: ".").count == 3)
        #expect(provider.kinds.contains { $0.kind == kind })
        let example = definition.example(1)
        let view = try JSONView(parsing: Array(example.serialized.utf8))
        #expect(definition.contract.faults(in: view, keeping: 9).first == [])
        // Without a look-up, what shows a record to be the job's is never asked; with one it must be there.
        #expect(definition.lookUp == nil || !definition.identity.isEmpty)
        for identity in definition.identity {
            guard case .payload(let path) = identity.sent else { continue }
            #expect(definition.contract.fieldNames.isSuperset(of: path))
        }
        let paths = [definition.path, definition.variantPath?.path, definition.lookUp?.path].compactMap(\.self)
        for case .parameter(let name) in paths.flatMap(\.sources) { #expect(name == definition.parent?.parameter) }
        for case .payload(let path) in paths.flatMap(\.sources) {
            #expect(definition.contract.fieldNames.isSuperset(of: path))
        }
        if let parent = definition.parent { #expect(Registry.shipped[parent.kind] != nil) }
        // A list has pages, and a record that is asked for by its key has it in the payload.
        if let lookUp = definition.lookUp {
            if case .record = lookUp.search { #expect(lookUp.pages == nil) } else { #expect(lookUp.pages != nil) }
            if let key = lookUp.key { #expect(lookUp.payloadFields == [key]) }
        }
        // Errors name fields, and never a person.
        #expect(definition.words.isSuperset(of: (example.object ?? [:]).keys.map { $0.lowercased() }))
        if let status = definition.simulation.record["status"]?.string {
            #expect(definition.statuses.contains(status.lowercased()))
        }
        #expect(!provider.credentials.isEmpty)
        #expect(Set(provider.settings).count == provider.settings.count)
    }

    @Test func `no two providers share a name, a kind or a setting`() {
        let providers = Registry.shipped.providers
        #expect(Set(providers.map(\.name)).count == providers.count)
        #expect(Set(Self.kinds).count == Self.kinds.count)
        let settings = providers.flatMap(\.settings)
        #expect(Set(settings).count == settings.count)
    }

    @Test func `every kind has its rows and its provider's workers are woken`() async throws {
        try await withBench { bench in
            let rows = try #require(
                try await bench.value("SELECT string_agg(kind, ' ' ORDER BY kind) FROM onboarding.kinds"))
            #expect(Self.kinds.map(\.value).sorted() == rows.split(separator: " ").map(String.init))
            let asleep =
                "SELECT count(*) FROM onboarding.providers WHERE to_regclass('onboarding.last_wakeup_' || provider) IS NULL"
            #expect(try await bench.value(asleep) == "0")
            let onTrial = "SELECT string_agg(provider, ' ') FROM onboarding.providers WHERE call_window IS NOT NULL"
            let never = Registry.shipped.kinds.filter { $0.policy.resend == .never }.map(\.provider.value)
            #expect(try await bench.value(onTrial) == never.joined(separator: " "))
            let migrator = SchemaMigrator(bench.connection)
            let standing = try await migrator.standing()
            #expect(standing == .current)
        }
    }

    @Test func `migrate writes what a definition owns and leaves what operators set`() async throws {
        try await withBench { bench in
            try await bench.run(
                """
                UPDATE onboarding.kinds SET fields = '{}', parameters = '{}', keep_finished = '9 days'
                WHERE kind = 'iron.customer.create';
                UPDATE onboarding.providers SET max_in_flight = 3, effect_horizon = '7 s' WHERE provider = 'iron';
                UPDATE onboarding.providers SET call_window = 40 WHERE provider = 'connect';
                DROP SEQUENCE onboarding.last_wakeup_connect;
                """)
            let migrator = SchemaMigrator(bench.connection)
            let before = try await migrator.standing()
            #expect(before == .withOtherKinds(["iron.customer.create", "connect"]))
            let done = try await migrator.migrate()
            let after = try await migrator.standing()
            #expect(done.migrations == [] && done.kinds == ["iron.customer.create"] && after == .current)
            let kind = "SELECT keep_finished = '9 days' AND parameters = '{sub_partner_id}' FROM onboarding.kinds"
            #expect(try await bench.value("\(kind) WHERE kind = 'iron.customer.create'") == "true")
            let provider = "SELECT max_in_flight = 3 AND effect_horizon = '7 s' FROM onboarding.providers"
            #expect(try await bench.value("\(provider) WHERE provider = 'iron'") == "true")
            #expect(
                try await bench.value("SELECT call_window FROM onboarding.providers WHERE provider = 'connect'") == "40"
            )
            let registry = Registry(Registry.shipped.providers + [.tangerine])
            let unknown = try await SchemaMigrator(bench.connection, registry: registry).standing()
            #expect(unknown == .withoutKinds(["tangerine.merchant.create", "tangerine.outlet.create"]))
        }
    }

    @Test func `an id has one form for the program and for the database`() async throws {
        let texts = [
            "", "a", "1", "abc", "abcdefghijklmnopqrs", "abcdefghijklmnopqrst", "0", "0x0", "0X0", "-1", "f-f", "ffff1",
            "cus_1",
            "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001", "a b1", "a/1", "é1", "a\n1",
            "1\n", "FFFF", String(repeating: "x", count: 255), String(repeating: "x", count: 256),
        ]
        try await withBench { bench in
            for text in texts {
                let theirs = try await bench.value("SELECT $t$\(text)$t$ ~ $p$\(Pattern.recordID.expression)$p$")
                #expect(theirs == "\(Pattern.recordID.matches(text))", "\(text)")
            }
        }
    }

    @Test(arguments: kinds)
    func `INSERT refuses what the contract refuses at the top level, and nothing else`(kind: JobKind) async throws {
        let contract = try #require(Registry.shipped[kind]).contract
        let valid = try #require(Registry.shipped[kind]?.example(1).object)
        let fields = try #require(contract.topLevelRules.object).keys
        let odd: [JSONValue?] = [
            nil, .null, .bool(true), .number("1"), .array([]), .object([:]), .string(""), .string("DE"),
            .string("12345"),
            .string("+1 (2)-3"), .string("a@b"), .string("a b@c"), .string("a@b\n"), .string("1\n"), .string("Person"),
            .string(String(repeating: "😀", count: 64)), .string(String(repeating: "x", count: 101)),
        ]
        var payloads: [JSONValue] = [.object(valid)]
        for field in fields {
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
                    PERFORM onboarding.check_payload('\(kind)', (SELECT fields FROM onboarding.kinds WHERE kind = '\(kind)'), body);
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
}
