package import JobModel

/// The providers that a program can serve. A new provider is a folder beside this file and one entry here.
package struct Registry: Sendable {
    /// Those of this program.
    package static let shipped = Registry([.iron, .connect, .axisFi, .juicyway])

    /// One entry a provider.
    package let providers: [ProviderDefinition]
    private let byKind: [JobKind: KindDefinition]

    /// Puts one together.
    package init(_ providers: [ProviderDefinition]) {
        self.providers = providers
        byKind = Dictionary(uniqueKeysWithValues: providers.flatMap(\.kinds).map { ($0.kind, $0) })
    }

    /// All kinds, in the order of the providers.
    package var kinds: [KindDefinition] { providers.flatMap(\.kinds) }

    /// The providers' names, in order.
    package var names: [ProviderName] { providers.map(\.name) }

    /// The definition of a kind; nil for a kind of a later version.
    package subscript(kind: JobKind) -> KindDefinition? { byKind[kind] }
}
