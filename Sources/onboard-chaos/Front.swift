import Foundation
import TestKit

/// An nginx in front of the simulator that speaks TLS, as providers' own fronts do.
///
/// Workers behind it share few connections, whose end hits many calls at once; what the simulator cuts comes to them as 502.
final class Front: Sendable {
    /// Whom the certificate is for.
    private enum Certificate: String {
        case own, stranger
    }

    private let base: String
    private let process: Program
    private let folder: URL
    private var authorityFile: String { folder.appendingPathComponent("\(Certificate.own.rawValue).pem").path }

    /// Starts one that leads to `target`, an address like `http://127.0.0.1:1`; nil where none is installed.
    static func start(to target: String) async throws -> Front? {
        let program = URL(fileURLWithPath: "/usr/sbin/nginx")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            say("nginx is not installed: workers call without TLS")
            return nil
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-front-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (certificate, name) in [(Certificate.own, "IP:127.0.0.1"), (.stranger, "DNS:stranger.example")] {
            let file = folder.appendingPathComponent(certificate.rawValue).path
            let made = try await Program(
                at: URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=front", "-addext",
                    "subjectAltName=\(name)", "-out", "\(file).pem", "-keyout", "\(file).key",
                ]
            ).start().ended()
            guard made.exitCode == 0 else {
                throw NotInTime(description: "no certificate: \(made.errors.suffix(300))")
            }
        }
        // The system's own choice is not told; one from the range that it does not choose from is free as a rule.
        let port = Int.random(in: 20_000...29_999)
        let file = folder.appendingPathComponent("nginx.conf").path
        try settings(port: port, target: target, folder: folder).write(toFile: file, atomically: true, encoding: .utf8)
        let front = Front(
            base: "https://127.0.0.1:\(port)",
            process: Program(at: program, ["-c", file, "-p", folder.path, "-e", "errors"]), folder: folder)
        try front.show(.own)
        try front.process.start()
        try await Task.sleep(for: .milliseconds(300))
        guard front.process.isRunning else {
            throw NotInTime(description: "nginx did not start: \(front.process.errors.suffix(300))")
        }
        return front
    }

    private init(base: String, process: Program, folder: URL) {
        self.base = base
        self.process = process
        self.folder = folder
    }

    private static func settings(port: Int, target: String, folder: URL) -> String {
        // It tries nothing again by itself, keeps no request back, and cuts what is in flight soon after it was told to
        // begin anew. A connection ends with a GOAWAY after so many requests.
        """
        daemon off;
        user \(NSUserName());
        pid nginx.pid;
        worker_processes 1;
        worker_shutdown_timeout 300ms;
        events { worker_connections 1024; }
        http {
            access_log off;
            client_max_body_size 0;
            client_body_temp_path body;
            proxy_temp_path proxy;
            fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            server {
                listen 127.0.0.1:\(port) ssl http2;
                ssl_certificate \(folder.path)/shown.pem;
                ssl_certificate_key \(folder.path)/shown.key;
                keepalive_requests 500;
                location / {
                    proxy_pass \(target);
                    proxy_http_version 1.1;
                    proxy_request_buffering off;
                    proxy_next_upstream off;
                }
            }
        }
        """
    }

    /// A worker's environment, with every provider behind this front.
    func environment(from direct: [String: String], leadingTo target: String) -> [String: String] {
        direct.mapValues { $0.replacing(target, with: base) }.merging(["ONBOARD_HTTP_CA_FILE": authorityFile]) { $1 }
    }

    /// Ends all connections, with a GOAWAY first; calls that take longer are cut.
    func goAway() {
        process.signal(SIGHUP)
    }

    /// Shows the certificate of somebody else on every connection from now on, or its own again.
    func showStrangersCertificate(_ isStranger: Bool) throws {
        try show(isStranger ? .stranger : .own)
        process.signal(SIGHUP)
    }

    private func show(_ certificate: Certificate) throws {
        for suffix in ["pem", "key"] {
            let data = try Data(contentsOf: folder.appendingPathComponent("\(certificate.rawValue).\(suffix)"))
            try data.write(to: folder.appendingPathComponent("shown.\(suffix)"))
        }
    }

    /// Stops it, with what it started, and deletes its files.
    func stop() async throws {
        process.signal(SIGTERM)
        _ = try await process.ended(within: 10)
        try? FileManager.default.removeItem(at: folder)  // A leftover harms nobody.
    }
}
