import Foundation
import JobModel
import Kinds
import Providers

extension Endpoint {
    /// The endpoints of all providers whose credentials are set.
    ///
    /// - Throws: when an address is none, or a provider is set half.
    static func all(_ settings: Settings, registry: Registry = .shipped) throws(Failure) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for provider in registry.providers {
            if let endpoint = try endpoint(of: provider, settings, registry) { endpoints.append(endpoint) }
        }
        return endpoints
    }

    private static func endpoint(
        of provider: ProviderDefinition, _ settings: Settings, _ registry: Registry
    ) throws(Failure) -> Endpoint? {
        func variable(_ name: String) -> String { "ONBOARD_\(provider.setting(name))" }
        let url = try settings.text(variable("BASE_URL"))
        if let url { try check(url, provider.name, settings, registry) }
        var values: [String: String] = [:]
        for credential in provider.credentials {
            let name = variable(credential.secret)
            guard let secret = try settings.text(name, isSecret: true) else {
                // What is there without it.
                let other = url == nil ? values.keys.first : "BASE_URL"
                guard let other else { return nil }
                throw Failure(.wrongConfiguration, "\(variable(other)) is set but \(name) is not")
            }
            try checkHeader(secret, name)
            values[credential.secret] = secret
            if let setting = credential.headerSetting {
                values[setting] = try settings.value(
                    variable(setting), default: nil as String?, form: "the name of a header"
                ) {
                    $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") } ? $0 : nil
                }
            }
            if let setting = credential.schemeSetting, let scheme = try settings.text(variable(setting)) {
                try checkHeader(scheme, variable(setting))
                values[setting] = scheme == "none" ? nil : scheme
            }
        }
        guard let baseURL = url ?? provider.defaultURL else {
            let secret = provider.credentials.first?.secret ?? ""
            throw Failure(.wrongConfiguration, "\(variable(secret)) is set but \(variable("BASE_URL")) is not")
        }
        return Endpoint(provider, baseURL: baseURL, settings: values)
    }

    private static func checkHeader(_ value: String, _ name: String) throws(Failure) {
        guard value.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
            throw Failure(.wrongConfiguration, "\(name) has characters that no header can carry")
        }
    }

    private static func check(
        _ url: String, _ provider: ProviderName, _ settings: Settings, _ registry: Registry
    ) throws(Failure) {
        let variable = "ONBOARD_\(provider.value.uppercased())_BASE_URL"
        guard let parsed = URLComponents(string: url), parsed.scheme == "http" || parsed.scheme == "https",
            parsed.host?.isEmpty == false, (parsed.port.map { (1...65_535).contains($0) } ?? true),
            parsed.query == nil, parsed.fragment == nil, parsed.user == nil, parsed.password == nil,
            // Characters that Foundation would mend in silence.
            parsed.string == url
        else {
            throw Failure(
                .wrongConfiguration, "\(variable) is not an address such as https://api.example.com/api")
        }
        if parsed.scheme == "https" || isLoopback(parsed.host ?? "") { return }
        guard try plaintext(settings, registry).contains(provider.value) else {
            throw Failure(
                .wrongConfiguration,
                "\(variable) would send keys and personal data without TLS: use https, or set "
                    + "ONBOARD_ALLOW_PLAINTEXT=\(provider)")
        }
    }

    /// The providers that may be called without TLS beyond this machine.
    private static func plaintext(_ settings: Settings, _ registry: Registry) throws(Failure) -> [String] {
        let known = registry.names.map(\.value)
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
