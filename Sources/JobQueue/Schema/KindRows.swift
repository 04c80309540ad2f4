import Contracts
import JobModel
import Kinds
import Postgres
import SQLCatalog

/// The rows of `kinds` and `providers` and the wake-up sequences, as a program's definitions have them.
///
/// What operators change, such as limits, the effect horizon and how long finished jobs are kept, is written into new rows
/// alone.
struct KindRows {
    private let providers: [UInt8]
    private let kinds: [UInt8]

    init(_ registry: Registry) {
        providers = Array(JSONValue.array(registry.providers.map(Self.row)).serialized.utf8)
        kinds = Array(JSONValue.array(registry.kinds.map(Self.row)).serialized.utf8)
    }

    /// Writes missing and differing rows in the open transaction. Returns the kinds whose rows it wrote.
    func write(over connection: Connection) async throws(PostgresError) -> [String] {
        let written = try await connection.query(
            Statement(SQLCatalog.query("write_kinds"), parameters: [.json(providers), .json(kinds)])
        ).map { row throws(PostgresError) in try row.decode(String.self, at: 0) }
        for row in try await connection.query(Statement(SQLCatalog.query("missing_wakeups"))) {
            try await connection.run(script: try row.decode(String.self, at: 0))
        }
        return written.sorted()
    }

    /// The kinds without a row, and those whose rows differ; among these also providers without a wake-up sequence.
    func stale(on connection: Connection) async throws(PostgresError) -> (missing: [String], changed: [String]) {
        let rows = try await connection.query(
            Statement(SQLCatalog.query("stale_kinds"), parameters: [.json(kinds)]))
        var stale: (missing: [String], changed: [String]) = ([], [])
        for row in rows {
            let kind = try row.decode(String.self, at: 0)
            if try row.decode(Bool.self, at: 1) { stale.missing.append(kind) } else { stale.changed.append(kind) }
        }
        for row in try await connection.query(Statement(SQLCatalog.query("missing_wakeups"))) {
            stale.changed.append(try row.decode(String.self, at: 1))
        }
        return stale
    }

    private static func row(_ provider: ProviderDefinition) -> JSONValue {
        let limits = provider.limits
        return [
            "provider": .string(provider.name.value), "max_in_flight": number(limits.maxInFlight),
            "rate_per_second": number(limits.ratePerSecond), "burst": number(limits.burst),
            "effect_horizon_s": number(limits.effectHorizon.components.seconds),
            // Where nothing tells about a lost answer, few calls are tried at first.
            "is_on_trial": .bool(provider.kinds.contains { $0.policy.resend == .never }),
        ]
    }

    private static func row(_ definition: KindDefinition) -> JSONValue {
        [
            "kind": .string(definition.kind.value), "provider": .string(definition.provider.value),
            "fields": definition.contract.topLevelRules, "lost_answer": .string(definition.policy.lostAnswerName),
            "id_pattern": .string(definition.idForm.expression),
            "parameters": .array(definition.parameters.map(JSONValue.string)),
            "parent_kind": definition.parent.map { .string($0.kind.value) } ?? .null,
            "parent_parameter": definition.parent.map { .string($0.parameter) } ?? .null,
        ]
    }

    private static func number(_ value: (some CustomStringConvertible)?) -> JSONValue {
        value.map { .number($0.description) } ?? .null
    }
}

extension RecoveryPolicy {
    /// The value of `kinds.lost_answer`.
    fileprivate var lostAnswerName: String {
        switch resend {
        case .underSameKey: "same_key"
        case .afterLookUp: "look_up"
        case .never: "none"
        }
    }
}
