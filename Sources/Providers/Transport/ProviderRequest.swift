import Contracts
import Crypto
package import JobModel
package import Kinds
import NIOHTTP1

/// What decides a request's effect: everything but the address, the credentials, the key and the trace.
struct ProviderRequest: Sendable {
    let method: HTTPMethod
    let path: String
    /// Headers that come from the job's parameters, in the order of their names.
    var headers: [(name: String, value: String)] = []
    var contentType: String?
    var body: [UInt8]?

    /// SHA-256 over all of it, each part with its length before it, so that no two requests have one form.
    ///
    /// - Parameter bodySHA256: stands for the body, which may be large and is hashed already.
    func digest(bodySHA256: [UInt8]) -> [UInt8] {
        var parts: [UInt8] = []
        func add(_ part: some Collection<UInt8>) {
            for shift in 0..<8 { parts.append(UInt8(truncatingIfNeeded: part.count >> (8 * shift))) }
            parts.append(contentsOf: part)
        }
        for part in [method.rawValue, path, contentType ?? ""] { add(part.utf8) }
        for header in headers {
            add(header.name.utf8)
            add(header.value.utf8)
        }
        add(bodySHA256)
        return Array(SHA256.hash(data: parts))
    }
}

extension KindDefinition {
    /// The request that creates the record; nil when the job lacks what its path needs.
    func creationRequest(_ context: CallContext) -> ProviderRequest? {
        guard let path = context.createPath else { return nil }
        var request = ProviderRequest(method: .POST, path: path, headers: headers(context))
        request.contentType = contentType
        request.body = context.claim.payload ?? []
        return request
    }

    /// The request that looks for the record under `path`.
    func lookUpRequest(_ path: String, _ context: CallContext) -> ProviderRequest {
        ProviderRequest(method: .GET, path: path, headers: headers(context))
    }

    /// SHA-256 of the request that creates the record: method, path, headers from parameters, content type and body. Nil
    /// when the claim cannot be read or lacks what the path needs.
    package func requestDigest(of claim: Claim) -> [UInt8]? {
        CallContext(claim, self).flatMap(creationRequest)?.digest(bodySHA256: claim.bodySHA256)
    }

    private func headers(_ context: CallContext) -> [(name: String, value: String)] {
        parameterHeaders.sorted { $0.value < $1.value }.compactMap { parameter, name in
            context.parameters[parameter]?.string.map { (name, $0) }
        }
    }
}
