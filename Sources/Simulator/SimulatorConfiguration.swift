import JobModel
package import Kinds

/// What proves who a caller is: `sandbox-key` for `API_KEY`, `sandbox-secret` for `API_SECRET`.
package struct SimulatorKeys: Sendable {
    /// What `API_KEY` is instead, once it was rotated.
    var rotatedKey: String?

    /// The keys that the documentation names.
    package init() {}

    /// The value of a credential's setting, the same at all providers.
    package func value(of setting: String) -> String {
        if setting == "API_KEY", let rotatedKey { return rotatedKey }
        return "sandbox-\(setting.lowercased().split(separator: "_").last ?? "key")"
    }

    /// What a worker's endpoint of a provider needs.
    package func settings(of provider: ProviderDefinition) -> [String: String] {
        Dictionary(provider.credentials.map { ($0.secret, value(of: $0.secret)) }) { $1 }
    }
}

/// How a simulator runs.
package struct SimulatorConfiguration: Sendable {
    /// The address to listen on.
    package var host = "127.0.0.1"
    /// The port; 0 for a free one.
    package var port = 0
    /// How much later every answer comes.
    package var delay: Duration = .zero
    /// The file to which each effect is appended before its answer leaves.
    package var ledgerFile: String?
    /// Who is played.
    package var registry = Registry.shipped
    /// What proves who a caller is.
    package var keys = SimulatorKeys()
    /// Whether providers make a second record of what they have already, where they would refuse it: whether the real ones
    /// refuse is not known.
    package var acceptsDuplicates = false
    /// The faults from the start.
    package var faults: [FaultRule] = []

    /// On loopback, on a free port, without faults.
    package init() {}

    /// How many of `segments` are the end of the provider's base URL.
    func basePathLength(of provider: String, in segments: [String]) -> Int {
        let definition = registry.providers.first { $0.name.value == provider }
        let base = (definition?.simulation.basePath ?? "").split(separator: "/")
        return segments.starts(with: base.map(String.init)) ? base.count : 0
    }
}
