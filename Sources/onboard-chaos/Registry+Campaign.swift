import Contracts
import JobModel
import Kinds

extension Registry {
    /// The providers that know a key.
    var keyed: [ProviderName] { providers.filter { $0.kinds.contains { $0.key != nil } }.map(\.name) }

    /// The statement that fills `chaos.kinds`; it may be run twice.
    var campaignKinds: String {
        let rows = kinds.enumerated().map { number, kind in
            let fields = kind.lookUp?.payloadFields ?? []
            let rules = kind.contract.topLevelRules
            let areOptional = !fields.isEmpty && fields.allSatisfy { rules[$0]?["required"] == nil }
            let parent = kind.parent.map { "'\($0.kind)'" } ?? "NULL"
            let example = kind.example.serialized.replacing("'", with: "''")
            return
                "(\(number), '\(kind.kind)', '\(kind.provider)', \(parent), \(kind.key != nil), \(kind.lookUp != nil), "
                + "'{\(fields.joined(separator: ","))}', \(areOptional), '\(example)')"
        }
        return "INSERT INTO chaos.kinds VALUES \(rows.joined(separator: ", ")) ON CONFLICT DO NOTHING"
    }
}
