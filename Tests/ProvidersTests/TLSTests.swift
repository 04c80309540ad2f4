import Foundation
import JobModel
import NIOSSL
import Testing

@testable import Providers

/// Calls over TLS.
@Suite struct TLSTests {
    private func withIdentity(_ body: (NIOSSLContext, String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover harms nobody.
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
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        // A provider that would rather speak HTTP/2 is not given the choice.
        tls.applicationProtocols = ["h2", "http/1.1"]
        try await body(try NIOSSLContext(configuration: tls), certificate)
    }

    private func call(
        _ caller: HTTPProviderCaller, _ kind: String = "iron.customer.create", payload: String? = nil
    ) async -> CallResult {
        await caller.call(
            .create, for: Sample.claim(kind, payload: payload), as: Sample.definition(kind)
        ) { true }
    }

    @Test func `calls in turn share a connection, long bodies too`() async throws {
        try await withIdentity { tls, certificate in
            try await withPeer(tls: tls, trusting: certificate) { _ in
                [.answer(201, #"{"id": "record-1"}"#)]
            } _: { peer, caller in
                for _ in 0..<5 { #expect(await call(caller).outcome == .succeeded) }
                let name = String(repeating: "n", count: 300_000)
                let long = #"{"email": "ada@example.com", "customer_type": "Person", "name": "\#(name)"}"#
                #expect(await call(caller, payload: long).outcome == .succeeded)
                #expect(peer.seen.requests == 6)
                #expect(peer.seen.connections == 1)
            }
        }
    }

    @Test func `nothing is sent to a peer that cannot prove who it is`() async throws {
        try await withIdentity { tls, _ in
            try await withPeer(tls: tls) { _ in
                [.answer(201, #"{"id": "record-1"}"#)]
            } _: { peer, caller in
                let result = await call(caller, "connect.individual.create")
                #expect(result.outcome == .notSent)
                #expect(!result.mayHaveReached)
                let port = peer.base.split(separator: ":").last ?? ""
                #expect(result.error == "no connection: 127.0.0.1:\(port): TLS: certificate verify failed")
                #expect(peer.seen.requests == 0)
            }
        }
    }
}
