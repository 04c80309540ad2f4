import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// A provider that speaks HTTP/2 over TLS and answers each request with 201, unless told to misbehave.
final class HTTP2Peer: Sendable {
    /// What happens to a request.
    enum Behaviour: Sendable {
        case answer
        /// GOAWAY that says that no stream was processed; then the connection closes.
        case goAway
        /// The stream is reset.
        case reset
        /// The answer comes when the body has, whether the request has ended or not.
        case answerEarly
        /// The same, and the stream is reset after it (RFC 9113, section 8.1).
        case answerEarlyAndReset
    }

    private struct State {
        var connections = 0
        var streams = 0
        var behaviour = Behaviour.answer
    }

    let port: Int
    /// The PEM file of the certificate.
    let certificateFile: String
    private let channel: any Channel
    private let state: NIOLockedValueBox<State>

    var connections: Int { state.withLockedValue { $0.connections } }
    var streams: Int { state.withLockedValue { $0.streams } }
    func set(_ behaviour: Behaviour) { state.withLockedValue { $0.behaviour = behaviour } }

    static func start() async throws -> HTTP2Peer {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = try makeCertificate(in: folder)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
        tls.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: tls)
        let state = NIOLockedValueBox(State())
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { connection in
                connection.eventLoop.makeCompletedFuture {
                    state.withLockedValue { $0.connections += 1 }
                    let sync = connection.pipeline.syncOperations
                    try sync.addHandler(NIOSSLServerHandler(context: context))
                    _ = try sync.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            try stream.pipeline.syncOperations.addHandlers([
                                HTTP2FramePayloadToHTTP1ServerCodec(), Responder(state: state),
                            ])
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return HTTP2Peer(channel: channel, certificateFile: files.certificate, state: state)
    }

    private init(channel: any Channel, certificateFile: String, state: NIOLockedValueBox<State>) {
        self.channel = channel
        self.certificateFile = certificateFile
        self.state = state
        port = channel.localAddress?.port ?? 0
    }

    func stop() async throws {
        try await channel.close()
        try FileManager.default.removeItem(at: URL(fileURLWithPath: certificateFile).deletingLastPathComponent())
    }

    private static func makeCertificate(in folder: URL) throws -> (certificate: String, key: String) {
        let certificate = folder.appendingPathComponent("certificate.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return (certificate, key)
    }

    private final class Responder: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let state: NIOLockedValueBox<State>
        private var hasAnswered = false

        init(state: NIOLockedValueBox<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let behaviour = state.withLockedValue { $0.behaviour }
            switch unwrapInboundIn(data) {
            case .head: state.withLockedValue { $0.streams += 1 }
            case .body:
                guard behaviour == .answerEarly || behaviour == .answerEarlyAndReset else { return }
                hasAnswered = true
                answerEarly(context, reset: behaviour == .answerEarlyAndReset)
            case .end:
                if !hasAnswered { end(context, behaviour) }
            }
        }

        private func answerEarly(_ context: ChannelHandlerContext, reset: Bool) {
            answer(context)
            guard reset, let connection = context.channel.parent,
                let stream = try? context.channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID)
            else { return }
            // Once the answer has gone out.
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(5)) {
                connection.writeAndFlush(HTTP2Frame(streamID: stream, payload: .rstStream(.noError)), promise: nil)
            }
        }

        private func end(_ context: ChannelHandlerContext, _ behaviour: Behaviour) {
            switch behaviour {
            case .answer, .answerEarly, .answerEarlyAndReset: answer(context)
            case .goAway:
                guard let connection = context.channel.parent else { return }
                let frame = HTTP2Frame(
                    streamID: .rootStream,
                    payload: .goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil))
                connection.writeAndFlush(frame).whenComplete { _ in connection.close(promise: nil) }
            case .reset:
                context.close(promise: nil)
            }
        }

        private func answer(_ context: ChannelHandlerContext) {
            let body = ByteBuffer(string: #"{"id": "record-1"}"#)
            let headers: HTTPHeaders = [
                "content-type": "application/json", "content-length": String(body.readableBytes),
            ]
            let head = HTTPResponseHead(version: .http2, status: .created, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
