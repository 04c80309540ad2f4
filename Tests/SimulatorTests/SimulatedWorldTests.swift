import Contracts
import Testing

@testable import Simulator

@Suite struct SimulatedWorldTests {
    private static let key = "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a11"
    private static let person = #"{"customer_type": "Person", "email": "ada@example.com", "external_id": "u-1"}"#

    private func post(
        _ path: [String], _ body: String, key: String? = key, headers: [String: String] = [:]
    ) -> SimulatedRequest {
        var all = [
            "x-api-key": "sandbox-key", "x-api-secret": "sandbox-secret", "authorization": "sandbox-key",
            "content-type": "application/json",
        ]
        if let key { all["idempotency-key"] = key }
        return SimulatedRequest(
            method: "POST", path: path, headers: all.merging(headers) { $1 }, body: Array(body.utf8))
    }

    private func status(
        _ request: SimulatedRequest, from provider: String = "iron", in world: inout SimulatedWorld, id: String = "id-1"
    ) -> Int {
        world.answer(request, from: provider, id: id, at: "2026-01-01T00:00:00Z").answer.status
    }

    @Test func `a key replays its answer and refuses another body`() {
        var world = SimulatedWorld(keys: .init())
        let first = world.answer(post(["customers"], Self.person), from: "iron", id: "id-1", at: "")
        let again = world.answer(post(["customers"], Self.person), from: "iron", id: "id-2", at: "")
        #expect(first.answer == again.answer)
        #expect(world.effects.count == 1)
        #expect(status(post(["customers"], Self.person + " "), in: &world) == 400)
        let juicy =
            #"{"first_name": "A", "last_name": "B", "email": "a@b", "phone": "1", "type": "individual", "billing_address": {}}"#
        #expect(status(post(["customers"], juicy), from: "juicyway", in: &world) == 201)
        #expect(status(post(["customers"], juicy + " "), from: "juicyway", in: &world) == 422)
    }

    @Test func `headers are required as the documents have them`() {
        var world = SimulatedWorld(keys: .init())
        #expect(status(post(["customers"], Self.person, key: nil), in: &world) == 400)
        #expect(status(post(["customers"], Self.person, key: "no-uuid"), in: &world) == 400)
        #expect(status(post(["customers"], Self.person, headers: ["x-api-key": "x"]), in: &world) == 401)
        #expect(
            status(post(["customers", "individual"], "{}", headers: ["x-api-key": "x"]), from: "connect", in: &world)
                == 403)
        #expect(
            status(
                post(["api", "customers", "create"], "{}", headers: ["x-api-secret": "x"]), from: "axisfi", in: &world)
                == 401)
        #expect(status(post(["customers"], "{}", headers: ["authorization": "x"]), from: "juicyway", in: &world) == 401)
        #expect(status(post(["customers"], Self.person, headers: ["content-type": "text/plain"]), in: &world) == 415)
        #expect(status(post(["nowhere"], Self.person), in: &world) == 404)
        #expect(world.effects.isEmpty)
    }

    @Test func `bodies are refused for what they lack`() {
        var world = SimulatedWorld(keys: .init())
        #expect(status(post(["customers"], "[]"), in: &world) == 400)
        #expect(status(post(["customers", "individual"], #"{"basicData": {}}"#), from: "connect", in: &world) == 400)
        #expect(
            status(
                post(["api", "customers", "create"], #"{"partner_customer_id": "short"}"#), from: "axisfi", in: &world)
                == 400)
        #expect(status(post(["customers"], #"{"email": "a@b"}"#), from: "juicyway", in: &world) == 400)
        #expect(status(post(["customers", "unknown", "identifications"], #"{"type": "Direct"}"#), in: &world) == 404)
        #expect(world.effects.isEmpty)
    }

    @Test func `a fault that comes after the effect leaves the effect`() {
        for (fault, effects) in [
            (FaultRule.Fault.lostAnswer, 1), (.halfBody, 1), (.noID, 1), (.wrongContentType, 1), (.delay, 1), (.cut, 0),
            (.hang, 0), (.lateEffect, 0), (.status, 0), (.throttle, 0), (.unauthorized, 0), (.redirect, 0),
            (.storedError, 0),
            (.endlessBody, 1), (.slowBody, 1), (.duplicateID, 1), (.forgottenKeys, 1),
            (.wrongID, 1), (.gzip, 1), (.brokenGzip, 1), (.unknownCoding, 1), (.byteOrderMark, 1), (.latin1, 1),
            (.stray, 1), (.nullData, 1), (.closeIdle, 1), (.rateLimit, 1), (.paged, 1),
        ] {
            var world = SimulatedWorld(keys: .init())
            world.faults.set([FaultRule(fault)])
            _ = status(post(["customers"], Self.person), in: &world)
            #expect(world.effects.count == effects, "\(fault)")
        }
    }

    @Test func `a stored error is repeated for its key for ever`() {
        var world = SimulatedWorld(keys: .init())
        var rule = FaultRule(.storedError)
        rule.first = 1
        world.faults.set([rule])
        #expect(status(post(["customers"], Self.person), in: &world) == 500)
        #expect(status(post(["customers"], Self.person), in: &world) == 500)
        #expect(
            status(post(["customers"], Self.person, key: "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a12"), in: &world) == 201)
    }

    @Test func `a forgotten key lets the same request make a second record`() {
        var world = SimulatedWorld(keys: .init())
        #expect(status(post(["customers"], #"{"customer_type": "Person", "email": "a@b"}"#), in: &world) == 201)
        world.faults.set([FaultRule(.forgottenKeys)])
        #expect(
            status(post(["customers"], #"{"customer_type": "Person", "email": "a@b"}"#), in: &world, id: "id-2") == 201)
        #expect(world.effects.count == 2)
    }

    @Test func `a late effect comes when it is asked for, and once for a key`() {
        var world = SimulatedWorld(keys: .init())
        var rule = FaultRule(.lateEffect)
        rule.first = 1
        rule.milliseconds = 300
        world.faults.set([rule])
        let request = post(["customers"], Self.person)
        let late = world.answer(request, from: "iron", id: "id-1", at: "")
        #expect(late.takesEffectAfter == .milliseconds(300))
        #expect(world.effects.isEmpty)
        #expect(world.onTheirWay == 1)
        let resent = world.answer(request, from: "iron", id: "id-2", at: "")
        let landed = world.answerUndisturbed(request, from: "iron", id: "id-3", at: "")
        #expect(landed.answer == resent.answer)
        #expect(world.effects.map(\.providerID) == ["id-2"])
        #expect(world.onTheirWay == 0)
    }

    @Test(arguments: [(false, 409, 1), (true, 200, 2)])
    func `duplicates are refused or accepted`(accepts: Bool, answered: Int, effects: Int) {
        let axisfi =
            #"{"partner_customer_id": "partner-customer-0001", "business_details": {}, "registration_address": {}}"#
        var world = SimulatedWorld(keys: .init(), acceptsDuplicates: accepts)
        let request = post(["api", "customers", "create"], axisfi, key: nil)
        #expect(status(request, from: "axisfi", in: &world) == 200)
        #expect(status(request, from: "axisfi", in: &world, id: "id-2") == answered)
        #expect(world.effects.count == effects)
        let juicyway =
            #"{"first_name": "A", "last_name": "B", "email": "a@b", "phone": "1", "type": "individual", "billing_address": {}}"#
        #expect(status(post(["customers"], juicyway, key: nil), from: "juicyway", in: &world) == 201)
        #expect(
            status(post(["customers"], juicyway, key: nil), from: "juicyway", in: &world, id: "id-2")
                == (accepts ? 201 : 409))
    }

    @Test func `another body under a used key is counted, whether or not the key is remembered`() {
        var world = SimulatedWorld(keys: .init())
        _ = status(post(["customers"], Self.person), in: &world)
        _ = status(post(["customers"], Self.person), in: &world)
        #expect(world.requestsWithAnotherBody == 0)
        _ = status(post(["customers"], Self.person + " "), in: &world)
        world.faults.set([FaultRule(.forgottenKeys)])
        _ = status(post(["customers"], Self.person + " "), in: &world)
        #expect(world.requestsWithAnotherBody == 2)
    }

    @Test func `an address that is nobody's is refused`() {
        var world = SimulatedWorld(keys: .init())
        #expect(status(post(["customers"], #"{"customer_type": "Person", "email": "a@b.invalid"}"#), in: &world) == 400)
        #expect(world.effects.isEmpty)
    }

    @Test func `rules match by provider, method, content, number`() throws {
        var script = FaultScript()
        script.set(
            try FaultRule.list(
                JSONValue(
                    parsing: Array(
                        #"[{"provider": "iron", "method": "post", "contains": "ada", "every": 2, "fault": "cut"}]"#.utf8
                    ))))
        let request = post(["customers"], Self.person)
        #expect((0..<4).map { _ in script.rule(for: "iron", request)?.fault } == [nil, .cut, nil, .cut])
        #expect(script.rule(for: "connect", request) == nil)
        #expect(throws: FaultRule.Invalid.self) { try FaultRule.list(.array([.object(["fault": .string("boom")])])) }
        #expect(throws: FaultRule.Invalid.self) {
            try FaultRule.list(.array([.object(["fault": .string("cut"), "frist": .number("1")])]))
        }
    }

    @Test func `traffic counts what was at once and what came within a second`() {
        var traffic = Traffic()
        for tenth in 0..<30 { traffic.began(at: .milliseconds(tenth * 100)) }
        for _ in 0..<10 { traffic.ended() }
        #expect(traffic.mostInOneSecond == 10)
        #expect(traffic.mostInFlight == 30)
        #expect(traffic.inFlight == 20)
    }

    @Test func `a request costs the same however many records there are`() {
        func thousand(in world: inout SimulatedWorld, from start: Int) -> Duration {
            ContinuousClock().measure {
                for number in start..<(start + 1000) {
                    let body =
                        #"{"first_name": "A", "last_name": "B", "email": "a\#(number)@b", "phone": "1", "type": "individual", "billing_address": {}}"#
                    #expect(
                        status(post(["customers"], body, key: nil), from: "juicyway", in: &world, id: "id-\(number)")
                            == 201)
                }
            }
        }
        var world = SimulatedWorld(keys: .init())
        for part in 0..<30 { _ = thousand(in: &world, from: part * 1000) }
        // The shortest of ten, by turns, so that what else the machine does makes neither longer.
        var (first, fourth) = (Duration.seconds(3600), Duration.seconds(3600))
        for part in 30..<40 {
            var fresh = SimulatedWorld(keys: .init())
            first = min(first, thousand(in: &fresh, from: 0))
            fourth = min(fourth, thousand(in: &world, from: part * 1000))
        }
        #expect(fourth < first * 3)
    }

    @Test func `above its rate a provider refuses, and counts what it refused`() {
        var world = SimulatedWorld(keys: .init())
        var rule = FaultRule(.rateLimit)
        rule.perSecond = 2
        world.faults.set([rule])
        var statuses: [Int] = []
        for (index, milliseconds) in [0, 10, 20, 990, 1005, 1008, 1500].enumerated() {
            world.began("connect", at: .milliseconds(milliseconds))
            let request = post(
                ["customers", "individual"],
                #"{"basicData": {}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#)
            let outcome = world.answer(request, from: "connect", id: "id-\(index)", at: "")
            #expect(outcome.answer.headers.isEmpty)
            statuses.append(outcome.answer.status)
        }
        #expect(statuses == [201, 201, 429, 429, 201, 429, 201])
        #expect(world.summary["providers"]?["connect"]?["refused"] == .number("3"))
        #expect(world.effects.count == 4)
    }

    @Test func `a stray answer tells of another record`() {
        var world = SimulatedWorld(keys: .init())
        world.faults.set([FaultRule(.stray)])
        let first = world.answer(post(["customers"], Self.person), from: "iron", id: "id-1", at: "")
        guard case .followed(let stray, _) = first.delivery else {
            Issue.record("no stray answer")
            return
        }
        #expect(first.answer.json?["id"]?.string == "id-1")
        #expect(stray.json?["id"]?.string != "id-1")
        #expect(stray.json?["email"]?.string == "stray@example.com")
    }

    @Test func `rules have all their numbers`() throws {
        let text =
            #"[{"fault": "late_effect", "milliseconds": 9, "cut_after": 3}, {"fault": "rate_limit", "per_second": 7}, "#
            + #"{"fault": "paged", "pages": 2}]"#
        let rules = try FaultRule.list(JSONValue(parsing: Array(text.utf8)))
        #expect(rules[0].cutAfter == 3)
        #expect(rules[1].perSecond == 7)
        #expect(rules[2].pages == 2)
    }
}
