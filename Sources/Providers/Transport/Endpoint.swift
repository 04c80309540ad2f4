package import JobModel
package import Kinds

/// Where a provider is and what proves who we are.
///
/// Holds secrets: its description shows the address alone, and nothing writes the headers anywhere.
package struct Endpoint: Sendable, CustomStringConvertible {
    /// Whose endpoint it is.
    package let provider: ProviderName
    /// The address before the paths, without a slash at the end.
    package let baseURL: String
    let headers: [(name: String, value: String)]

    /// - Parameter settings: the values of the credentials' settings, by their names without the provider's. A header whose
    ///   secret is missing is left out.
    package init(_ provider: ProviderDefinition, baseURL: String, settings: [String: String]) {
        self.provider = provider.name
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        headers = provider.credentials.compactMap { credential in
            guard let secret = settings[credential.secret] else { return nil }
            let scheme = credential.schemeSetting.flatMap { settings[$0] }
            return (
                credential.headerSetting.flatMap { settings[$0] } ?? credential.header,
                scheme.map { "\($0) \(secret)" } ?? secret
            )
        }
    }

    /// The provider and its address.
    package var description: String { "\(provider) at \(baseURL)" }
}

extension Endpoint: Equatable {
    /// Whether both lead to the same address under the same key.
    package static func == (first: Endpoint, second: Endpoint) -> Bool {
        first.provider == second.provider && first.baseURL == second.baseURL
            && first.headers.elementsEqual(second.headers) { $0 == $1 }
    }
}
