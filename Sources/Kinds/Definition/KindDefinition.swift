package import Contracts
package import JobModel

/// Everything that is one kind's own: contract, requests, answers, recovery, and how a simulator plays it.
///
/// The kind's rows in the database, the words that an error may show and the assumptions of tests follow from it.
package struct KindDefinition: Sendable {
    /// The kind of the jobs.
    package let kind: JobKind
    /// What the payload must look like.
    package let contract: Contract
    /// A payload that keeps the contract, with `{mark}` and `{n}` in free text and `{address}` for an e-mail address.
    package let example: JSONValue
    /// The path that creates, below the base URL; a job that lacks a value of it fails.
    package let path: PathTemplate
    /// Another path for some payloads.
    package let variantPath: VariantPath?
    /// The content type of the body.
    package let contentType: String
    /// How the provider takes the stored key; nil where it knows none.
    package let key: IdempotencyKey?
    /// Parameters of the job that go into headers, by their name there.
    package let parameterHeaders: [String: String]
    /// The record that this one belongs to.
    package let parent: Parent?
    /// Where the record is in the answer to a create, and in a look-up's.
    package let record: RecordPlace
    /// The form of the provider's ids.
    package let idForm: Pattern
    /// What shows whose record an answer is about.
    package let identity: [Identity]
    /// Fields of the payload that a record has under another name.
    package let aliases: [String: String]
    /// Statuses that the provider documents: words, whatever the payload says.
    package let statuses: Set<String>
    /// How the provider is asked for the record; nil where it cannot be.
    package let lookUp: LookUp?
    /// The path that shows one record by its `{id}`; nil where there is none.
    package let detailPath: PathTemplate?
    /// How the simulator plays the kind.
    package let simulation: KindSimulation
    /// Words, in lower case, that an error may repeat beside those of every API.
    package let words: Set<String>

    /// Another path, for payloads whose `field` has one of `values`.
    package struct VariantPath: Sendable {
        /// A field at the top level of the payload.
        package let field: String
        /// Its values.
        package let values: Set<String>
        /// The path for them.
        package let path: PathTemplate

        /// Takes all three.
        package init(field: String, values: Set<String>, path: PathTemplate) {
            self.field = field
            self.values = values
            self.path = path
        }
    }

    /// The record that another one belongs to: its id is a parameter, or comes from the job in `after_job_id`.
    package struct Parent: Sendable {
        /// The kind that makes it.
        package let kind: JobKind
        /// The parameter that has its id.
        package let parameter: String

        /// Takes both.
        package init(kind: String, parameter: String) {
            self.kind = JobKind(kind)
            self.parameter = parameter
        }
    }

    /// Takes what every kind has; the rest where a kind differs.
    package init(
        contract: Contract, example: JSONValue, path: PathTemplate, variantPath: VariantPath? = nil,
        contentType: String = "application/json", key: IdempotencyKey? = nil, parameterHeaders: [String: String] = [:],
        parent: Parent? = nil, record: RecordPlace = RecordPlace(), idForm: Pattern = .recordID,
        identity: [Identity] = [], aliases: [String: String] = [:], statuses: Set<String> = [], lookUp: LookUp? = nil,
        detailPath: PathTemplate? = nil, simulation: KindSimulation
    ) {
        kind = contract.kind
        self.contract = contract
        self.example = example
        self.path = path
        self.variantPath = variantPath
        self.contentType = contentType
        self.key = key
        self.parameterHeaders = parameterHeaders
        self.parent = parent
        self.record = record
        self.idForm = idForm
        self.identity = identity
        self.aliases = aliases
        self.statuses = Set(statuses.map { $0.lowercased() })
        self.lookUp = lookUp
        self.detailPath = detailPath
        self.simulation = simulation
        let resource = kind.resource
        words = Set(
            (contract.fieldNames.union(parameterHeaders.keys).union([parent?.parameter, resource].compactMap(\.self)))
                .map { $0.lowercased() })
    }
}

extension KindDefinition {
    /// Whose limits, credentials and circuit the calls share.
    package var provider: ProviderName { kind.provider }

    /// What may be done after a lost answer.
    package var policy: RecoveryPolicy {
        let resend: RecoveryPolicy.Resend =
            key.map { .underSameKey(life: $0.life) } ?? (lookUp == nil ? .never : .afterLookUp)
        return RecoveryPolicy(resend: resend, offersLookUp: lookUp != nil)
    }

    /// The names of the parameters that a job of this kind may have, in order.
    package var parameters: [String] {
        Set(parameterHeaders.keys).union([parent?.parameter].compactMap(\.self)).sorted()
    }

    /// The path that creates the record of a payload with these values at its top level.
    package func path(for value: (String) -> String?) -> PathTemplate {
        guard let variantPath, let value = value(variantPath.field), variantPath.values.contains(value) else {
            return path
        }
        return variantPath.path
    }

    /// The example as a payload of its own: number `n`, with `mark` in its free text.
    package func example(_ n: Int, mark: String = "Ada") -> JSONValue {
        let values = ["n": String(n), "mark": mark, "address": "\(mark.lowercased()).\(n)@example.com"]
        return example.filled { values[$0].map(JSONValue.string) } ?? .null
    }
}

extension JobKind {
    /// What the kind makes, in one word: the second part of its name.
    package var resource: String {
        let parts = value.split(separator: ".")
        return parts.count > 1 ? String(parts[1]) : value
    }
}
