package import JobModel
import NIOConcurrencyHelpers

/// The endpoints of the providers, whose keys can be rotated while the program runs.
///
/// They are read anew once a second while calls are made, and at once when a provider has refused a key.
package final class EndpointSource: Sendable {
    private struct State {
        var endpoints: [ProviderName: Endpoint]
        var nextLook = ContinuousClock.now + EndpointSource.lookInterval
    }

    private static let lookInterval: Duration = .seconds(1)

    private let read: @Sendable () -> [Endpoint]?
    private let changed: @Sendable (ProviderName) -> Void
    private let state: NIOLockedValueBox<State>

    /// Begins with `endpoints`, which are the providers that are served.
    ///
    /// - Parameters:
    ///   - changed: called once for each change of a provider's address or key, for a log.
    ///   - read: the endpoints as they are now; nil where they cannot be read. One that is missing stays as it was.
    package init(
        _ endpoints: [Endpoint], changed: @escaping @Sendable (ProviderName) -> Void = { _ in },
        read: @escaping @Sendable () -> [Endpoint]? = { nil }
    ) {
        self.read = read
        self.changed = changed
        state = NIOLockedValueBox(State(endpoints: Dictionary(endpoints.map { ($0.provider, $0) }) { $1 }))
    }

    /// Where a provider is now; nil for one that is not served.
    func endpoint(of provider: ProviderName) -> Endpoint? {
        let isDue = state.withLockedValue { state in
            let isDue = state.nextLook <= .now
            // One look at a time.
            if isDue { state.nextLook = .now + Self.lookInterval }
            return isDue
        }
        if isDue { look() }
        return state.withLockedValue { $0.endpoints[provider] }
    }

    /// What has come in the place of an endpoint whose key was refused; nil where it is the same still.
    func replacement(of refused: Endpoint) -> Endpoint? {
        look()
        return state.withLockedValue { $0.endpoints[refused.provider] }.flatMap { $0 == refused ? nil : $0 }
    }

    private func look() {
        guard let endpoints = read() else { return }
        let news = state.withLockedValue { state in
            let news = endpoints.filter { endpoint in
                state.endpoints[endpoint.provider].map { $0 != endpoint } ?? false
            }
            for endpoint in news { state.endpoints[endpoint.provider] = endpoint }
            return news.map(\.provider)
        }
        for provider in news { changed(provider) }
    }
}
