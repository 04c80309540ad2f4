import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Where no connection could be made, and why. A request's path or body is never in it.
struct ConnectionFailure {
    /// One sentence, such as `api.example.com:443: connection refused`.
    let sentence: String

    /// Nil for an error that does not come from connecting.
    init?(_ error: any Error, _ endpoint: Endpoint) {
        guard let cause = Self.cause(error) else { return nil }
        sentence = "\(Self.place(endpoint)): \(cause)"
    }

    /// The host and the port of an endpoint.
    private static func place(_ endpoint: Endpoint) -> String {
        guard let url = URL(string: endpoint.baseURL), let host = url.host() else { return "\(endpoint.provider)" }
        return "\(host.contains(":") ? "[\(host)]" : host):\(url.port ?? (url.scheme == "https" ? 443 : 80))"
    }

    private static func cause(_ error: any Error) -> String? {
        switch error {
        case let error as NIOConnectionError:
            // All addresses have failed; the first is as good as another.
            if let error = error.connectionErrors.first?.error { return cause(error) ?? "\(type(of: error))" }
            return error.dnsAError != nil || error.dnsAAAAError != nil ? "no such host" : "no address"
        // Refused, unreachable: the channel never was.
        case let error as IOError where error.errnoCode != 0: return words(error.errnoCode)
        case ChannelError.connectTimeout: return "timeout"
        case let error as HTTPClientError: return cause(error)
        case let error as NIOSSLError: return "TLS: \(reason(error))"
        case let error as BoringSSLError: return "TLS: \(reason(error))"
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "TLS: the certificate is of another host"
        case let error as NIOSSLExtraError where error == .serverHostnameImpossibleToMatch:
            return "TLS: no certificate can be of such a host"
        default: return nil
        }
    }

    private static func cause(_ error: HTTPClientError) -> String? {
        switch error {
        case .connectTimeout: "timeout"
        case .tlsHandshakeTimeout: "TLS: timeout"
        case .getConnectionFromPoolTimeout: "timeout before a connection was free"
        case .httpProxyHandshakeTimeout: "timeout at the proxy"
        default: nil
        }
    }

    /// The system's own words, as most programs show them.
    private static func words(_ code: CInt) -> String {
        if code == ETIMEDOUT { return "timeout" }
        let text = String(cString: strerror(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    private static func reason(_ error: NIOSSLError) -> String {
        if case .handshakeFailed(let error) = error { return reason(error) }
        return "\(error)"
    }

    private static func reason(_ error: BoringSSLError) -> String {
        switch error {
        case .sslError(let stack), .unknownError(let stack), .invalidSNIName(let stack), .failedToSetALPN(let stack):
            // `… OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at …/handshake.cc:298`.
            let text = stack.first.map { "\($0)" } ?? ""
            let name = text.firstMatch(of: /OPENSSL_internal:(\w+)/).map { String($0.output.1) }
            return name?.replacing("_", with: " ").lowercased() ?? "handshake failed"
        case .syscallError, .zeroReturn: return "the other side closed the connection"
        default: return "\(error)"
        }
    }
}
