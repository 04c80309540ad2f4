import JobModel

/// Wakes the claims of a provider, or of all.
struct ClaimBells: Sendable {
    private let bells: [ProviderName: Bell]

    init(providers: [ProviderName]) {
        bells = Dictionary(providers.map { ($0, Bell()) }) { first, _ in first }
    }

    /// What a provider's claims wait for; of a provider that is not served, what nobody rings.
    subscript(provider: ProviderName) -> Bell { bells[provider] ?? Bell() }

    func ring(_ provider: ProviderName) { bells[provider]?.ring() }

    func ring(_ providers: [ProviderName]) { for provider in providers { ring(provider) } }

    func ringAll() { for bell in bells.values { bell.ring() } }
}
