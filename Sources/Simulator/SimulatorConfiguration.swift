/// What proves who a caller is.
package struct SimulatorKeys: Sendable {
    /// The API key of all four providers.
    package var apiKey = "sandbox-key"
    /// AxisFi's secret.
    package var apiSecret = "sandbox-secret"

    /// The keys that the documentation names.
    package init() {}
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
    /// What proves who a caller is.
    package var keys = SimulatorKeys()
    /// Whether AxisFi and Juicyway make a second record of what they have already, where they would refuse it: whether
    /// the real ones refuse is not known.
    package var acceptsDuplicates = false
    /// The faults from the start.
    package var faults: [FaultRule] = []

    /// On loopback, on a free port, without faults.
    package init() {}
}
