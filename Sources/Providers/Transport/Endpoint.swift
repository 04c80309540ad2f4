package import JobModel

/// Where a provider is and what proves who we are.
///
/// Holds secrets: its description shows the address alone, and nothing writes the headers anywhere.
package struct Endpoint: Sendable, CustomStringConvertible {
    /// Whose endpoint it is.
    package let provider: ProviderName
    /// The address before the paths, without a slash at the end.
    package let baseURL: String
    let headers: [(name: String, value: String)]

    private init(_ provider: String, _ baseURL: String, _ headers: [(name: String, value: String)]) {
        self.provider = ProviderName(provider)
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.headers = headers
    }

    /// Iron: `X-API-Key` (`providers.md`, section 1.1).
    package static func iron(baseURL: String, apiKey: String) -> Endpoint {
        Endpoint("iron", baseURL, [("X-API-Key", apiKey)])
    }

    /// Connect: an API key in a header whose name is an assumption (`providers.md`, section 3.3).
    package static func connect(baseURL: String, apiKey: String, header: String = "X-API-Key") -> Endpoint {
        Endpoint("connect", baseURL, [(header, apiKey)])
    }

    /// AxisFi: `X-API-Key` and `X-API-Secret` (`providers.md`, section 4.1).
    package static func axisFi(baseURL: String, apiKey: String, apiSecret: String) -> Endpoint {
        Endpoint("axisfi", baseURL, [("X-API-Key", apiKey), ("X-API-Secret", apiSecret)])
    }

    /// Juicyway: `Authorization`, bare or with a scheme (`providers.md`, section 5.1).
    package static func juicyway(baseURL: String, apiKey: String, scheme: String? = nil) -> Endpoint {
        Endpoint("juicyway", baseURL, [("Authorization", scheme.map { "\($0) \(apiKey)" } ?? apiKey)])
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
