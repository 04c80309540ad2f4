package import JobModel

/// What a kind's payload must look like, from `providers.md`; unknown fields pass.
package struct Contract: Sendable {
    /// The kind.
    package let kind: JobKind
    let title: String
    let source: String
    let schema: Schema

    /// The contracts of all kinds.
    package static let all: [Contract] = [
        .ironCustomer, .ironIdentification, .connectIndividual, .axisFiCustomer, .juicywayCustomer,
    ]

    /// The contract of a kind; nil for an unknown one.
    package static func of(_ kind: JobKind) -> Contract? { all.first { $0.kind == kind } }

    /// Every fault of a payload; none when the provider may be asked.
    package func faults(in payload: JSONValue) -> [Fault] { schema.faults(in: payload) }

    /// The fields without which INSERT refuses the job.
    package var requiredTopLevelFields: [String] {
        switch schema {
        case .object(let fields): fields.filter(\.isRequired).map(\.name)
        case .variants(let name, _): [name]
        default: []
        }
    }

    /// The contract as JSON Schema 2020-12. Members marked `x-assumption` have names that the project chose.
    package var jsonSchema: JSONValue {
        .object(
            schema.jsonSchema.merging([
                "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
                "$id": .string("urn:onboard:contract:\(kind)"), "title": .string(title),
                "$comment": .string("source: \(source)"),
            ]) { $1 })
    }
}
