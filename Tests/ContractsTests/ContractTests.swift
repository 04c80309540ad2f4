import Contracts
import Foundation
import JobModel
import Kinds
import SeededRandom
import Testing

extension Contract {
    func faults(of text: String) throws -> [Fault] {
        faults(in: try JSONView(parsing: Array(text.utf8)), keeping: .max).first
    }
}

@Suite struct ContractTests {
    @Test func `of a long list of faults only so many are kept as are shown`() throws {
        let contract = try #require(Registry.shipped[JobKind("axisfi.customer.create")]).contract
        let people = String(repeating: "{\"basic_info\":1},", count: 100_000)
        let text = "{\"business_person_list\": [\(people)1]}"
        let faults = contract.faults(in: try JSONView(parsing: Array(text.utf8)), keeping: 5)
        #expect(faults.count > 100_000)
        #expect(faults.first.count == 5)
    }
    @Test func `payloads that keep their contract have no faults`() throws {
        for (kind, text) in Payloads.valid {
            let contract = try #require(Registry.shipped[JobKind(kind)]).contract
            #expect(try contract.faults(of: text) == [], "\(kind)")
        }
    }

    @Test(arguments: [
        ("iron.customer.create", #"{"customer_type": "Robot", "email": "SECRET"}"#, ["/customer_type", "/email"]),
        ("iron.customer.create", "[]", [""]),
        ("iron.identification.create", #"{"type": ""}"#, ["/type"]),
        ("iron.identification.create", #"{"type": "Token"}"#, ["/intended_use", "/token"]),
        (
            "connect.individual.create",
            #"{"basicData": {"gender": "SECRET"}, "taxInformation": 1, "identification": {}}"#,
            ["/basicData/gender", "/mainAddress", "/taxInformation"]
        ),
        (
            "axisfi.customer.create",
            #"{"partner_customer_id": "SECRET", "business_details": {}, "registration_address": {}}"#,
            ["/partner_customer_id"]
        ),
        (
            "juicyway.customer.create",
            #"{"first_name": "", "last_name": "B", "email": "a@b", "phone": "1", "type": "x", "billing_address": {}}"#,
            [
                "/billing_address/city", "/billing_address/country", "/billing_address/line1", "/billing_address/state",
                "/billing_address/zip_code", "/first_name", "/type",
            ]
        ),
    ])
    func `every fault is named by its path and repeats nothing`(kind: String, text: String, paths: [String]) throws {
        let faults = try #require(Registry.shipped[JobKind(kind)]).contract.faults(of: text)
        #expect(faults.map(\.path).sorted() == paths)
        #expect(!faults.description.contains("SECRET"))
    }

    @Test func `a document of ten megabytes passes and a larger one does not`() throws {
        let contract = try #require(Registry.shipped[JobKind("iron.identification.create")]).contract
        let text = try #require(Payloads.valid.first { $0.text.contains("\"Person\", \"address\"") }).text
        let faults = { (count: Int) in
            try contract.faults(
                of: text.replacingOccurrences(of: "QQ==", with: String(repeating: "A", count: count)))
        }
        #expect(try faults(13_981_016) == [])
        #expect(try faults(13_981_020).count == 2)
    }

    /// The printed schema and our own check, against a validator that neither of us wrote.
    @Test func `an independent validator agrees on thousands of payloads`() throws {
        var random = Seeded(2026)
        var lines: [String] = []
        var verdicts: [Bool] = []
        for (kind, text) in Payloads.valid {
            let contract = try #require(Registry.shipped[JobKind(kind)]).contract
            let valid = try JSONValue(parsing: Array(text.utf8))
            for round in 0..<400 {
                var payload = valid
                for _ in 0..<(round % 4) { payload = Payloads.broken(payload, using: &random) }
                lines.append("{\"kind\": \"\(kind)\", \"payload\": \(payload.serialized)}")
                verdicts.append(try contract.faults(of: payload.serialized).isEmpty)
            }
        }
        #expect(verdicts.filter { $0 }.count > 1000)
        #expect(verdicts.filter { !$0 }.count > 1000)
        let theirs = try Self.independentVerdicts(lines)
        #expect(theirs.count == verdicts.count)
        for (index, pair) in zip(verdicts, theirs).enumerated() where pair.0 != pair.1 {
            Issue.record("we say \(pair.0), jsonschema says \(pair.1): \(lines[index].prefix(400))")
        }
    }

    /// Runs Python's `jsonschema` over the lines.
    private static func independentVerdicts(_ lines: [String]) throws -> [Bool] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "onboard-contracts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try lines.joined(separator: "\n").write(
            to: folder.appendingPathComponent("payloads"), atomically: true, encoding: .utf8)
        let schemas = Registry.shipped.kinds.map(\.contract).map { "\"\($0.kind)\": \($0.jsonSchema.serialized)" }
            .joined(separator: ",")
        try "{\(schemas)}".write(to: folder.appendingPathComponent("schemas"), atomically: true, encoding: .utf8)
        let script = """
            import json, sys
            from jsonschema import Draft202012Validator as V
            schemas = json.load(open(sys.argv[1] + "/schemas"))
            for s in schemas.values(): V.check_schema(s)
            validators = {k: V(s) for k, s in schemas.items()}
            for line in open(sys.argv[1] + "/payloads"):
                o = json.loads(line)
                print(1 if validators[o["kind"]].is_valid(o["payload"]) else 0)
            """
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, folder.path]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(
            process.terminationStatus == 0,
            "python3 with the module jsonschema is needed: apt-get install python3-jsonschema, or pip install jsonschema"
        )
        return text.split(separator: "\n").map { $0 == "1" }
    }
}
