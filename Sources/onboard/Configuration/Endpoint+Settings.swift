import Foundation
import Providers

extension Endpoint {
    /// The endpoints of all providers whose credentials are set.
    ///
    /// - Throws: when an address is none, or a provider is set half.
    static func all(_ settings: Settings) throws(Failure) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        if let (url, key) = try pair("IRON", settings) { endpoints.append(.iron(baseURL: url, apiKey: key)) }
        if let (url, key) = try pair("CONNECT", settings) {
            let header = try settings.value(
                "ONBOARD_CONNECT_AUTH_HEADER", default: "X-API-Key", form: "the name of a header"
            ) {
                $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") } ? $0 : nil
            }
            endpoints.append(.connect(baseURL: url, apiKey: key, header: header))
        }
        if let (url, key) = try pair("AXISFI", settings) {
            guard let secret = try settings.text("ONBOARD_AXISFI_API_SECRET", isSecret: true) else {
                throw Failure(.wrongConfiguration, "ONBOARD_AXISFI_API_KEY is set but ONBOARD_AXISFI_API_SECRET is not")
            }
            endpoints.append(.axisFi(baseURL: url, apiKey: key, apiSecret: secret))
        }
        if let (url, key) = try pair("JUICYWAY", settings, defaultURL: "https://api.spendjuice.com") {
            let scheme = try settings.text("ONBOARD_JUICYWAY_AUTH_SCHEME")
            endpoints.append(.juicyway(baseURL: url, apiKey: key, scheme: scheme == "none" ? nil : scheme))
        }
        return endpoints
    }

    private static func pair(
        _ name: String, _ settings: Settings, defaultURL: String? = nil
    ) throws(Failure) -> (url: String, key: String)? {
        let set = try settings.text("ONBOARD_\(name)_BASE_URL")
        let key = try settings.text("ONBOARD_\(name)_API_KEY", isSecret: true)
        if let set { try check(set, name) }
        guard let key else {
            if set != nil {
                throw Failure(.wrongConfiguration, "ONBOARD_\(name)_BASE_URL is set but ONBOARD_\(name)_API_KEY is not")
            }
            return nil
        }
        guard let url = set ?? defaultURL else {
            throw Failure(.wrongConfiguration, "ONBOARD_\(name)_API_KEY is set but ONBOARD_\(name)_BASE_URL is not")
        }
        guard key.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
            throw Failure(.wrongConfiguration, "ONBOARD_\(name)_API_KEY has characters that no header can carry")
        }
        return (url, key)
    }

    private static func check(_ url: String, _ name: String) throws(Failure) {
        guard let parsed = URL(string: url), parsed.scheme == "http" || parsed.scheme == "https",
            parsed.host?.isEmpty == false, parsed.query == nil
        else {
            throw Failure(
                .wrongConfiguration, "ONBOARD_\(name)_BASE_URL is not an address such as https://api.example.com/api")
        }
    }
}
