import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// The providers behind HTTP on one port; `GET /_simulator/ledger` lists the effects.
package struct SimulatorServer: Sendable {
    private let providers = NIOLockedValueBox(SimulatedProviders())

    package init() {}

    /// Serves until SIGTERM or SIGINT; `ready` gets the port that was bound.
    package func run(host: String, port: Int, ready: @escaping @Sendable (Int) -> Void) async throws {
        let providers = providers
        let responder = CallbackResponder<BasicRequestContext> { request, _ in
            var body = try await request.body.collect(upTo: 64 << 20)
            let bytes = body.readBytes(length: body.readableBytes) ?? []
            var headers: [String: String] = [:]
            for field in request.headers { headers[field.name.canonicalName] = field.value }
            let path = request.uri.string
            let answer: SimulatedProviders.Answer
            if path == "/_simulator/ledger" {
                let lines = providers.withLockedValue { $0.ledger }
                answer = .init(status: 200, body: "[\(lines.joined(separator: ",\n"))]")
            } else {
                let sent = headers
                answer = providers.withLockedValue {
                    $0.answer(
                        method: request.method.rawValue, path: Self.decoded(path), headers: sent,
                        body: bytes, id: UUID().uuidString.lowercased(), at: Date().formatted(.iso8601))
                }
            }
            return Response(
                status: .init(code: answer.status), headers: [.contentType: "application/json; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: answer.body)))
        }
        let application = Application(
            responder: responder, configuration: .init(address: .hostname(host, port: port)),
            onServerRunning: { channel in ready(channel.localAddress?.port ?? port) })
        try await application.runService()
    }

    private static func decoded(_ path: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(path.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
