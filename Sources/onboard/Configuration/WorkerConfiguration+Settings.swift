import Foundation
import JobModel
import Kinds
import Providers
import Worker

extension WorkerConfiguration {
    /// The daemon's variables (README, "Run it"), serving the providers of `endpoints`.
    init(_ settings: Settings, endpoints: [Endpoint]) throws(Failure) {
        self.init(providers: try Self.providers(settings, endpoints.map(\.provider)))
        concurrency = try settings.value("ONBOARD_CONCURRENCY", default: concurrency, form: "a number from 1 to 10000")
        {
            Int($0).flatMap { (1...10_000).contains($0) ? $0 : nil }
        }
        maxBytesInFlight = try settings.value(
            "ONBOARD_MAX_BYTES_IN_FLIGHT", default: maxBytesInFlight,
            form: "a size such as 64MiB or 1GiB, at least 1MiB"
        ) {
            Quantity.bytes($0).flatMap { $0 >= 1 << 20 ? $0 : nil }
        }
        pollInterval = try settings.duration("ONBOARD_POLL_INTERVAL", default: pollInterval)
        drainTimeout = try settings.duration("ONBOARD_DRAIN_TIMEOUT", default: drainTimeout)
        outageTimeout = try settings.duration("ONBOARD_OUTAGE_TIMEOUT", default: outageTimeout)
        host = ProcessInfo.processInfo.hostName
        version = Version.number
    }

    private static func providers(_ settings: Settings, _ served: [ProviderName]) throws(Failure) -> [ProviderName] {
        guard !served.isEmpty else {
            let first = Registry.shipped.providers.first?.settings.prefix(2).map { "ONBOARD_\($0)" } ?? []
            throw Failure(
                .wrongConfiguration,
                "no provider has credentials: set \(first.joined(separator: " and ")), or another provider's")
        }
        guard let list = try settings.text("ONBOARD_PROVIDERS") else { return served }
        var chosen: [ProviderName] = []
        for word in list.split(separator: ",") {
            let name = ProviderName(word.trimmingCharacters(in: .whitespaces))
            guard Registry.shipped.names.contains(name) else {
                let known = Registry.shipped.names.map(\.value).joined(separator: ", ")
                throw Failure(
                    .wrongConfiguration, "ONBOARD_PROVIDERS names '\(name)', which is unknown; known are \(known)")
            }
            guard served.contains(name) else {
                throw Failure(
                    .wrongConfiguration,
                    "ONBOARD_PROVIDERS names \(name), which has no credentials: set ONBOARD_\(name.value.uppercased())_API_KEY"
                )
            }
            if !chosen.contains(name) { chosen.append(name) }
        }
        guard !chosen.isEmpty else {
            throw Failure(.wrongConfiguration, "ONBOARD_PROVIDERS is empty; leave it unset to serve all")
        }
        return chosen
    }
}
