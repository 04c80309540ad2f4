import Contracts
import JobModel
import Kinds

/// One provider as a state machine without I/O, played from its definition.
struct SimulatedProvider: Sendable {
    /// The records of one kind.
    private struct Records: Sendable {
        var byID: [String: JSONValue] = [:]
        /// Ids by the value of the look-up's key, or by the parent's id, in the order of their creation.
        var groups: [String: [String]] = [:]
    }

    /// A request that creates, with what its path says.
    struct Creation {
        let kind: KindDefinition
        let path: PathTemplate
        let values: [ValueSource: String]
    }

    let definition: ProviderDefinition
    /// What lets a caller in.
    var keys: SimulatorKeys
    private let acceptsDuplicates: Bool
    private var records: [JobKind: Records] = [:]

    init(_ definition: ProviderDefinition, _ keys: SimulatorKeys, acceptsDuplicates: Bool = false) {
        self.definition = definition
        self.keys = keys
        self.acceptsDuplicates = acceptsDuplicates
    }

    /// Nil when the credentials are right, under any scheme.
    func refusal(of headers: [String: String]) -> SimulatedAnswer? {
        let areRight = definition.credentials.allSatisfy { credential in
            guard let value = headers[credential.header.lowercased()] else { return false }
            let secret = credential.schemeSetting == nil ? value : String(value.split(separator: " ").last ?? "")
            return secret == keys.value(of: credential.secret)
        }
        return areRight ? nil : error(definition.simulation.unauthorizedStatus, "unauthorized", id: "0")
    }

    private static let codes = [404: "not_found", 409: "conflict"]

    /// The provider's form of an error.
    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer {
        let template = status < 500 ? definition.simulation.error : definition.simulation.failure
        let values = ["message": message, "id": id, "code": Self.codes[status] ?? "validation_error"]
        return SimulatedAnswer(status, template.filled { values[$0].map(JSONValue.string) } ?? .null)
    }

    /// The kind whose records a request creates; nil where it creates none.
    func creation(_ request: SimulatedRequest) -> Creation? {
        guard request.method == "POST" else { return nil }
        for kind in definition.kinds {
            for path in [kind.path, kind.variantPath?.path].compactMap(\.self) {
                if let values = path.values(in: request.path, request.query) {
                    return Creation(kind: kind, path: path, values: values)
                }
            }
        }
        return nil
    }

    /// The kind whose list a request asks for, page by page.
    func list(_ request: SimulatedRequest) -> (kind: KindDefinition, pages: Pages)? {
        guard request.method == "GET" else { return nil }
        let kind = definition.kinds.first { $0.lookUp?.path.values(in: request.path, request.query) != nil }
        return kind.flatMap { kind in kind.lookUp?.pages.map { (kind, $0) } }
    }

    /// Answers a request that is authorized and not a replay. `id` makes a new record's id, `at` is the time now.
    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer {
        if let creation = creation(request) { return create(creation, request, id, at) }
        guard request.method == "GET" else { return error(404, "not found", id: id) }
        for kind in definition.kinds {
            if let lookUp = kind.lookUp, let values = lookUp.path.values(in: request.path, request.query) {
                return find(kind, lookUp, values, id)
            }
            if let values = kind.detailPath?.values(in: request.path, request.query) {
                return shown(values[.parameter("id")].flatMap { records[kind.kind]?.byID[$0] }, kind, id)
            }
        }
        return error(404, "not found", id: id)
    }

    // MARK: - Look-ups

    private func find(
        _ kind: KindDefinition, _ lookUp: LookUp, _ values: [ValueSource: String], _ id: String
    ) -> SimulatedAnswer {
        let parent = kind.parent.flatMap { values[.parameter($0.parameter)] }
        guard parent == nil || hasRecord(parent, of: kind.parent) else { return missing(kind.parent?.kind, id) }
        let value = values.values.first ?? ""
        let group = records[kind.kind]?.groups[lookUp.isFilter ? value.lowercased() : value] ?? []
        let found = group.reversed().compactMap { records[kind.kind]?.byID[$0] }
        // Where the provider keeps its records apart, the first counts; else the last.
        let one = kind.simulation.conflict == nil ? found.first : found.last
        guard let pages = lookUp.pages else { return shown(one, kind, id) }
        let list: [JSONValue] = if case .siblings = lookUp.search { found } else { one.map { [$0] } ?? [] }
        return SimulatedAnswer(200, [pages.list: .array(list)])
    }

    private func shown(_ record: JSONValue?, _ kind: KindDefinition, _ id: String) -> SimulatedAnswer {
        record.map { SimulatedAnswer(200, kind.record.body(with: $0)) } ?? missing(kind.kind, id)
    }

    private func missing(_ kind: JobKind?, _ id: String) -> SimulatedAnswer {
        error(404, "\(kind?.resource ?? "record") not found", id: id)
    }

    private func hasRecord(_ id: String?, of parent: KindDefinition.Parent?) -> Bool {
        guard let id, let parent else { return false }
        return records[parent.kind]?.byID[id] != nil
    }

    // MARK: - Creation

    private mutating func create(
        _ creation: Creation, _ request: SimulatedRequest, _ id: String, _ at: String
    ) -> SimulatedAnswer {
        let kind = creation.kind
        let parent = kind.parent.flatMap { creation.values[.parameter($0.parameter)] }
        guard kind.parent == nil || hasRecord(parent, of: kind.parent) else { return missing(kind.parent?.kind, id) }
        // What is no JSON is refused in the provider's own words.
        guard let payload = try? JSONValue(parsing: request.body),
            let view = try? JSONView(parsing: Array(payload.topLevel.serialized.utf8))
        else {
            return error(400, "the body is not valid", id: id)
        }
        if let refusal = refusal(of: payload, view, creation, id) { return refusal }
        let value = parent ?? kind.lookUp?.key.flatMap { payload[$0]?.string }
        let group = kind.lookUp?.isFilter == true ? value?.lowercased() : value
        if let group, let conflict = kind.simulation.conflict, isTaken(group, kind) {
            return error(409, conflict, id: id)
        }
        let record = record(of: payload, creation, id, at)
        guard let recordID = record[kind.record.id]?.string else { return error(500, "a record without an id", id: id) }
        records[kind.kind, default: Records()].byID[recordID] = record
        if let group { records[kind.kind, default: Records()].groups[group, default: []].append(recordID) }
        let envelope = kind.simulation.envelope.filled { $0 == "id" ? .string(id) : nil }?.object ?? [:]
        let body = envelope.isEmpty ? kind.record.body(with: record) : kind.record.body(with: record).adding(envelope)
        return SimulatedAnswer(kind.simulation.status, body, created: recordID)
    }

    /// What the provider answers to a payload that it does not take.
    private func refusal(
        of payload: JSONValue, _ view: JSONView, _ creation: Creation, _ id: String
    ) -> SimulatedAnswer? {
        let kind = creation.kind
        let faults = kind.contract.faults(in: view, keeping: 20).first.filter {
            $0.path.split(separator: "/").count <= 1
        }
        let names = faults.map { $0.path.isEmpty ? "the body" : String($0.path.dropFirst()) }.joined(separator: " and ")
        if faults.contains(where: { $0.path.isEmpty || payload[String($0.path.dropFirst())] == nil }) {
            return error(400, "\(names) is required and must be valid", id: id)
        }
        let isRefused = !faults.isEmpty || payload["email"]?.string?.isRefused == true
        if isRefused { return error(kind.simulation.invalidStatus, "\(names) must be valid", id: id) }
        guard kind.path(for: { payload[$0]?.string }) == creation.path else {
            return error(400, "\(kind.variantPath?.field ?? "the body") is required and must be valid", id: id)
        }
        return nil
    }

    /// Whether another record of the group is in the way.
    private func isTaken(_ group: String, _ kind: KindDefinition) -> Bool {
        let others = records[kind.kind]?.groups[group] ?? []
        guard case .siblings(let siblings) = kind.lookUp?.search else { return !acceptsDuplicates && !others.isEmpty }
        return others.contains { other in
            !siblings.closed.contains(records[kind.kind]?.byID[other]?["status"]?.string ?? "")
        }
    }

    private func record(of payload: JSONValue, _ creation: Creation, _ id: String, _ at: String) -> JSONValue {
        let template = creation.kind.simulation.record.filled { name in
            switch name {
            case "id": .string(id)
            case "hex": .string(id.filter { $0 != "-" })
            case "at": .string(at)
            default: Self.value(name, payload, creation.values)
            }
        }
        let own = template ?? [:]
        return creation.kind.simulation.echoesPayload ? payload.adding(own.object ?? [:]) : own
    }

    private static func value(_ name: String, _ payload: JSONValue, _ values: [ValueSource: String]) -> JSONValue? {
        guard name.hasPrefix("payload.") else { return values[.parameter(name)].map(JSONValue.string) }
        return name.split(separator: ".").dropFirst().reduce(Optional(payload)) { $0?[String($1)] }
    }
}

extension LookUp {
    /// Whether letter case does not matter to the provider.
    fileprivate var isFilter: Bool { if case .filtered = search { true } else { false } }
}

extension String {
    /// Whether it is an e-mail address that no provider takes: below `.invalid`, which is nobody's (RFC 2606).
    fileprivate var isRefused: Bool { lowercased().hasSuffix(".invalid") }
}

extension JSONValue {
    /// The same without what is in its members: what is looked at there costs nothing, however large the documents are.
    fileprivate var topLevel: JSONValue {
        guard let object else { return self }
        return .object(
            object.mapValues { member in
                switch member {
                case .object: [:]
                case .array: []
                case .null, .bool, .number, .string: member
                }
            })
    }

    /// The object's members with `more` added or replaced.
    fileprivate func adding(_ more: [String: JSONValue]) -> JSONValue {
        .object((object ?? [:]).merging(more) { $1 })
    }
}
