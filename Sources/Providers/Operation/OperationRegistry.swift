package import JobModel

/// All kinds that this program can serve.
package enum OperationRegistry {
    /// One entry a kind.
    package static let all: [Operation] = [
        .ironCustomer, .ironIdentification, .connectIndividual, .axisFiCustomer, .juicywayCustomer,
    ]

    private static let byKind = Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })

    /// The operation of a kind; nil for a kind of a later version.
    package static func operation(of kind: JobKind) -> Operation? { byKind[kind] }

    /// The providers, each once, in the registry's order.
    package static let providers: [ProviderName] = all.map(\.provider).reduce(into: []) {
        if !$0.contains($1) { $0.append($1) }
    }
}
