import Foundation
import JobModel
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
            try checkHeader(secret, "ONBOARD_AXISFI_API_SECRET")
            endpoints.append(.axisFi(baseURL: url, apiKey: key, apiSecret: secret))
        }
        if let (url, key) = try pair("JUICYWAY", settings, defaultURL: "https://api.spendjuice.com") {
            let scheme = try settings.text("ONBOARD_JUICYWAY_AUTH_SCHEME")
            if let scheme { try checkHeader(scheme, "ONBOARD_JUICYWAY_AUTH_SCHEME") }
            endpoints.append(.juicyway(baseURL: url, apiKey: key, scheme: scheme == "none" ? nil : scheme))
        }
        return endpoints
    }

    private static func pair(
        _ name: String, _ settings: Settings, defaultURL: String? = nil
    ) throws(Failure) -> (url: String, key: String)? {
        let set = try settings.text("ONBOARD_\(name)_BASE_URL")
        let key = try settings.text("ONBOARD_\(name)_API_KEY", isSecret: true)
        if let set { try check(set, name, settings) }
        guard let key else {
            if set != nil {
                throw Failure(.wrongConfiguration, "ONBOARD_\(name)_BASE_URL is set but ONBOARD_\(name)_API_KEY is not")
            }
            return nil
        }
        guard let url = set ?? defaultURL else {
            throw Failure(.wrongConfiguration, "ONBOARD_\(name)_API_KEY is set but ONBOARD_\(name)_BASE_URL is not")
        }
        try checkHeader(key, "ONBOARD_\(name)_API_KEY")
        return (url, key)
    }

    private static func checkHeader(_ value: String, _ name: String) throws(Failure) {
        guard value.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
            throw Failure(.wrongConfiguration, "\(name) has characters that no header can carry")
        }
    }

    private static func check(_ url: String, _ name: String, _ settings: Settings) throws(Failure) {
        guard let parsed = URLComponents(string: url), parsed.scheme == "http" || parsed.scheme == "https",
            parsed.host?.isEmpty == false, (parsed.port.map { (1...65_535).contains($0) } ?? true),
            parsed.query == nil, parsed.fragment == nil, parsed.user == nil, parsed.password == nil,
            // Characters that Foundation would mend in silence.
            parsed.string == url
        else {
            throw Failure(
                .wrongConfiguration, "ONBOARD_\(name)_BASE_URL is not an address such as https://api.example.com/api")
        }
        if parsed.scheme == "https" || isLoopback(parsed.host ?? "") { return }
        guard try plaintext(settings).contains(name.lowercased()) else {
            throw Failure(
                .wrongConfiguration,
                "ONBOARD_\(name)_BASE_URL would send keys and personal data without TLS: use https, or set "
                    + "ONBOARD_ALLOW_PLAINTEXT=\(name.lowercased())")
        }
    }

    /// The providers that may be called without TLS beyond this machine.
    private static func plaintext(_ settings: Settings) throws(Failure) -> [String] {
        let known = OperationRegistry.providers.map(\.value)
        return try settings.value(
            "ONBOARD_ALLOW_PLAINTEXT", default: [], form: "a list of providers out of \(known.joined(separator: ", "))"
        ) {
            let names = $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            return names.allSatisfy(known.contains) ? names : nil
        }
    }

    /// By its form alone: what a name resolves to can change.
    private static func isLoopback(_ host: String) -> Bool {
        var address = in_addr()
        if inet_pton(AF_INET, host, &address) == 1 { return UInt32(bigEndian: address.s_addr) >> 24 == 127 }
        return ["localhost", "::1", "[::1]"].contains(host.lowercased())
    }
}
