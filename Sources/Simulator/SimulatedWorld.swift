import Contracts
import Crypto
import JobModel
import Kinds

/// All providers, their ledger, their faults and what they saw; no I/O, one lock around it outside.
struct SimulatedWorld: Sendable {
    /// What the shell does with an answer.
    enum Delivery: Sendable, Equatable {
        case whole
        case half
        case none
        case endless
        case slow(Duration)
        /// Whole, and then the connection is closed.
        case closing
        /// Whole, and after the pause a second answer that nobody asked for.
        case followed(by: SimulatedAnswer, after: Duration)
    }

    struct Outcome: Sendable {
        var answer: SimulatedAnswer
        var delivery = Delivery.whole
        var delay = Duration.zero
        var contentType = "application/json; charset=utf-8"
        var effect: Effect?
        /// The request has had no effect so far: `answerUndisturbed` is to be asked after this time.
        var takesEffectAfter: Duration?
        /// When the connection is closed before that.
        var isCutAfter: Duration?
        /// How the body is written on the wire.
        var form = BodyForm.plain
    }

    private var providers: [String: SimulatedProvider]
    private var stored: [String: (digest: String, answer: SimulatedAnswer)] = [:]
    /// Digests by provider and key.
    private var bodies: [String: String] = [:]
    private(set) var requestsWithAnotherBody = 0
    /// Requests that have not taken effect yet.
    private(set) var onTheirWay = 0
    private(set) var effects: [Effect] = []
    private(set) var traffic: [String: Traffic] = [:]
    var faults = FaultScript()

    init(registry: Registry = .shipped, keys: SimulatorKeys, acceptsDuplicates: Bool = false) {
        let played = registry.providers.map {
            ($0.name.value, SimulatedProvider($0, keys, acceptsDuplicates: acceptsDuplicates))
        }
        providers = Dictionary(uniqueKeysWithValues: played)
    }

    /// From now on all providers let callers in with this key alone.
    mutating func rotate(to key: String) {
        for name in providers.keys { providers[name]?.keys.rotatedKey = key }
    }

    mutating func began(_ provider: String, at moment: Duration) {
        traffic[provider, default: Traffic()].began(at: moment)
    }
    mutating func ended(_ provider: String) { traffic[provider]?.ended() }

    /// Answers one request, under the fault that the script has for it.
    mutating func answer(_ request: SimulatedRequest, from name: String, id: String, at: String) -> Outcome {
        noteBody(of: request, to: name)
        // Without a copy of the provider in hand, so that what it remembers is changed in place.
        guard let rule = faults.rule(for: name, request) else { return honest(request, name, id, at) }
        guard let provider = providers[name] else { return honest(request, name, id, at) }
        let error = { (status: Int, message: String) in Outcome(answer: provider.error(status, message, id: id)) }
        switch rule.fault {
        case .delay:
            var outcome = honest(request, name, id, at)
            outcome.delay = .milliseconds(rule.milliseconds)
            return outcome
        case .lateEffect:
            onTheirWay += 1
            return Outcome(
                answer: SimulatedAnswer(200, .null), takesEffectAfter: .milliseconds(rule.milliseconds),
                isCutAfter: rule.cutAfter.map { .milliseconds($0) })
        case .status: return error(rule.status, "an error on demand")
        case .throttle:
            traffic[name, default: Traffic()].refuse()
            return throttled(rule, error(429, "too many requests"), at: at)
        case .rateLimit:
            let isAdmitted = traffic[name, default: Traffic()].admits(rule.perSecond)
            return isAdmitted ? honest(request, name, id, at) : error(429, "too many requests")
        case .unauthorized: return error(provider.definition.simulation.unauthorizedStatus, "unauthorized")
        case .storedError:
            let outcome = error(500, "internal error")
            if let slot = slot(request, name) { stored[slot] = (Self.digest(request.body), outcome.answer) }
            return outcome
        case .cut: return Outcome(answer: SimulatedAnswer(200, .null), delivery: .none)
        case .hang: return Outcome(answer: SimulatedAnswer(200, .null), delivery: .none, delay: .seconds(rule.seconds))
        case .redirect:
            var outcome = error(307, "elsewhere")
            outcome.answer.headers["location"] = "/elsewhere"
            return outcome
        case .forgottenKeys:
            stored = stored.filter { !$0.key.hasPrefix("\(name) ") }
            return honest(request, name, id, at)
        case .paged: return paged(honest(request, name, id, at), request, rule.pages, provider)
        case .lostAnswer, .halfBody, .noID, .wrongContentType, .endlessBody, .slowBody, .duplicateID, .wrongID, .gzip,
            .brokenGzip, .unknownCoding, .byteOrderMark, .latin1, .stray, .nullData, .closeIdle:
            return spoiled(honest(request, name, id, at), request, rule, provider)
        }
    }

    /// Answers a request whose effect was put off, when its time has come.
    mutating func answerUndisturbed(
        _ request: SimulatedRequest, from name: String, id: String, at: String
    ) -> Outcome {
        onTheirWay -= 1
        return honest(request, name, id, at)
    }

    /// A key belongs to one body for ever; whether the provider still knows the key is no matter.
    private mutating func noteBody(of request: SimulatedRequest, to name: String) {
        guard let key = key(of: request, to: name) else { return }
        let digest = Self.digest(request.body)
        if bodies["\(name) \(key)", default: digest] != digest { requestsWithAnotherBody += 1 }
        bodies["\(name) \(key)"] = bodies["\(name) \(key)"] ?? digest
    }

    private func spoiled(
        _ outcome: Outcome, _ request: SimulatedRequest, _ rule: FaultRule, _ provider: SimulatedProvider
    ) -> Outcome {
        var outcome = outcome
        outcome.form = BodyForm(rule.fault)
        switch rule.fault {
        case .endlessBody: outcome.delivery = .endless
        case .slowBody: outcome.delivery = .slow(.milliseconds(rule.milliseconds))
        case .duplicateID:
            if let id = outcome.effect?.providerID,
                let first = effects.first(where: { $0.provider == outcome.effect?.provider })
            {
                outcome.answer.body.replace(id, with: first.providerID)
            }
        case .wrongID:
            if let id = outcome.effect?.providerID { outcome.answer.body.replace(id, with: "a\\u0000b") }
        case .stray:
            outcome.delivery = .followed(
                by: stray(after: outcome, to: request, provider), after: .milliseconds(rule.milliseconds))
        case .nullData where request.method == "GET" && outcome.answer.status == 404:
            outcome.answer = SimulatedAnswer(200, .object(["data": .null]))
        case .closeIdle: outcome.delivery = .closing
        case .lostAnswer: outcome.delivery = .none
        case .halfBody: outcome.delivery = .half
        case .noID where outcome.answer.status < 300:
            outcome.answer = Self.withoutID(outcome.answer, provider.creation(request)?.kind.record)
        case .wrongContentType:
            outcome.contentType = "text/html"
            outcome.answer.body = "<html><body>OK</body></html>"
        default: break
        }
        return outcome
    }

    /// An answer like this one about another record: the first that this provider ever made, or one made up.
    private func stray(
        after outcome: Outcome, to request: SimulatedRequest, _ provider: SimulatedProvider
    ) -> SimulatedAnswer {
        var answer = outcome.answer
        guard let effect = outcome.effect else { return answer }
        let first = effects.first { $0.provider == effect.provider && $0.providerID != effect.providerID }
        let other = first?.providerID ?? String(effect.providerID.reversed())
        answer.body.replace(effect.providerID, with: other)
        // Unreadable says nothing of itself.
        let payload = try? JSONValue(parsing: request.body)
        for name in ["email", provider.creation(request)?.kind.lookUp?.key].compactMap(\.self) {
            guard let said = payload?[name]?.string else { continue }
            answer.body.replace(said, with: said.contains("@") ? "stray@example.com" : "stray-\(said)")
        }
        return answer
    }

    /// The list of an honest answer on its last page, and before it pages with one record of somebody else's.
    private func paged(
        _ outcome: Outcome, _ request: SimulatedRequest, _ count: Int, _ provider: SimulatedProvider
    ) -> Outcome {
        guard outcome.answer.status == 200, let (kind, pages) = provider.list(request) else { return outcome }
        let page = Int(request.query[pages.parameter] ?? "0") ?? 0
        guard page < count else { return outcome }
        let other: JSONValue = [
            kind.record.id: .string("other-\(page)"), "status": "Archived",
            "email": .string("other\(page)@example.com"),
        ]
        let next = pages.cursor.reversed().reduce(JSONValue.string(String(page + 1))) { [$1: $0] }
        var outcome = outcome
        outcome.answer.body = JSONValue.object((next.object ?? [:]).merging([pages.list: [other]]) { $1 }).serialized
        return outcome
    }

    /// The same answer without the member that holds the id.
    private static func withoutID(_ answer: SimulatedAnswer, _ place: RecordPlace?) -> SimulatedAnswer {
        guard let place, var body = answer.json?.object else { return answer }
        if let wrapper = place.wrapper, var record = body[wrapper]?.object {
            record[place.id] = nil
            body[wrapper] = .object(record)
        }
        body[place.id] = nil
        var answer = answer
        answer.body = JSONValue.object(body).serialized
        return answer
    }

    private func throttled(_ rule: FaultRule, _ outcome: Outcome, at: String) -> Outcome {
        var outcome = outcome
        if rule.seconds > 0 {
            outcome.answer.headers["retry-after"] = rule.asDate ? "date+\(rule.seconds)" : String(rule.seconds)
        }
        return outcome
    }

    /// What the provider does when nothing disturbs it.
    private mutating func honest(_ request: SimulatedRequest, _ name: String, _ id: String, _ at: String) -> Outcome {
        let digest = Self.digest(request.body)
        let slot = slot(request, name)
        if let answer = answerWithoutWork(request, name, id, slot, digest) { return Outcome(answer: answer) }
        guard let answer = providers[name]?.answer(request, id: id, at: at) else {
            let known = providers.map { "/\($0)\($1.definition.simulation.basePath)" }.sorted()
            return Outcome(
                answer: SimulatedAnswer(404, .string("no such provider: use \(known.joined(separator: ", "))")))
        }
        guard request.method == "POST" else { return Outcome(answer: answer) }
        if let slot, answer.status < 500 { stored[slot] = (digest, answer) }
        guard let created = answer.created else { return Outcome(answer: answer) }
        let effect = Effect(
            sequence: effects.count + 1, provider: name, operation: Self.operation(request), providerID: created,
            idempotencyKey: key(of: request, to: name), bodyDigest: digest, at: at)
        effects.append(effect)
        return Outcome(answer: answer, effect: effect)
    }

    /// A refusal that comes before the request is looked into, or what its key was answered before.
    private func answerWithoutWork(
        _ request: SimulatedRequest, _ name: String, _ id: String, _ slot: String?, _ digest: String
    ) -> SimulatedAnswer? {
        guard let provider = providers[name] else { return nil }
        if let refusal = provider.refusal(of: request.headers) { return refusal }
        guard request.method == "POST" else { return nil }
        guard request.headers["content-type"]?.hasPrefix("application/json") == true else {
            return provider.error(415, "content type must be application/json", id: id)
        }
        if let refusal = keyRefusal(request, provider, id) { return refusal }
        guard let slot, let earlier = stored[slot] else { return nil }
        guard earlier.digest == digest else {
            let status = provider.creation(request)?.kind.key?.reuseStatus ?? 400
            return provider.error(status, "the key was used with another body", id: id)
        }
        return earlier.answer
    }

    private func keyRefusal(_ request: SimulatedRequest, _ provider: SimulatedProvider, _ id: String)
        -> SimulatedAnswer?
    {
        guard let rule = provider.creation(request)?.kind.key else { return nil }
        let name = rule.header.lowercased()
        guard let key = request.headers[name] else {
            return rule.isRequired ? provider.error(400, "\(name) is required", id: id) : nil
        }
        let groups = key.split(separator: "-", omittingEmptySubsequences: false)
        let isUUID = groups.map(\.count) == [8, 4, 4, 4, 12] && groups.joined().allSatisfy(\.isHexDigit)
        return isUUID ? nil : provider.error(400, "\(name) must be a UUID", id: id)
    }

    /// The key of a request that creates; nil where it has none, or the kind knows none.
    private func key(of request: SimulatedRequest, to name: String) -> String? {
        providers[name]?.creation(request)?.kind.key.flatMap { request.headers[$0.header.lowercased()] }
    }

    private func slot(_ request: SimulatedRequest, _ name: String) -> String? {
        key(of: request, to: name).map { "\(name) /\(request.path.joined(separator: "/")) \($0)" }
    }

    /// Whether one body may be sent for several parents.
    private func hasParents(_ effect: Effect) -> Bool {
        let path = effect.operation.split(separator: "/").map(String.init)
        let request = SimulatedRequest(method: "POST", path: path)
        return providers[effect.provider]?.creation(request)?.kind.parent != nil
    }

    /// What the world has seen, as JSON.
    var summary: JSONValue {
        let perKey = Dictionary(grouping: effects.compactMap(\.idempotencyKey)) { $0 }.filter { $1.count > 1 }.count
        let perBody = Dictionary(grouping: effects.filter { !hasParents($0) }) { "\($0.operation) \($0.bodyDigest)" }
        return .object([
            "effects": .number(String(effects.count)), "keys_with_several_effects": .number(String(perKey)),
            "bodies_with_several_effects": .number(String(perBody.filter { $1.count > 1 }.count)),
            "requests_with_a_used_key_and_another_body": .number(String(requestsWithAnotherBody)),
            "requests_on_their_way": .number(String(onTheirWay)),
            "providers": .object(traffic.mapValues(\.json)),
        ])
    }

    private static func operation(_ request: SimulatedRequest) -> String {
        "/" + request.path.map { $0.count > 30 ? "{id}" : $0 }.joined(separator: "/")
    }

    private static func digest(_ body: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(SHA256.hash(data: body).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
