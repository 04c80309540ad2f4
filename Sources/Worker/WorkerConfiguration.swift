package import JobModel

/// How one worker process works.
package struct WorkerConfiguration: Sendable {
    /// The providers that it serves: those with credentials.
    package var providers: [ProviderName]
    /// Provider calls in flight at most.
    package var concurrency = 64
    /// The sum of the payloads in flight at most, in bytes.
    package var maxBytesInFlight = 256 << 20
    /// How long at most until it looks for jobs although nothing told it to.
    package var pollInterval: Duration = .seconds(1)
    /// How long a shutdown waits for calls in flight.
    package var drainTimeout: Duration = .seconds(45)
    /// How long a database that is out of reach is waited for before the worker ends. Results that are not written by then
    /// are lost with it, and what they tell is found out anew where the provider can be asked.
    package var outageTimeout: Duration = .seconds(1800)
    /// How long the worker's lease lasts without renewal; after it others take its jobs.
    package var lease: Duration = .seconds(10)
    /// How often the lease is renewed.
    package var renewalInterval: Duration = .milliseconds(2500)
    /// How long before the end of the lease no call is started any more.
    package var leaseMargin: Duration = .seconds(3)
    /// How long one provider call may take; the effect horizon is at least eight seconds more.
    package var longestCall: Duration = .seconds(30)
    /// Ends by itself when nothing is due, running or blocked on what is.
    package var endsWhenIdle = false
    /// The host's name, for operators.
    package var host = "unknown"
    /// The program's version, for operators.
    package var version = "unknown"

    /// The design's defaults for `providers`.
    package init(providers: [ProviderName]) {
        self.providers = providers
    }
}
