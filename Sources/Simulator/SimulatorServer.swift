import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Kinds
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import UnixSignals

/// The simulated providers behind HTTP on one port, each under its name.
///
/// `/_simulator/ledger`, `/_simulator/summary`, `PUT /_simulator/faults` and `PUT /_simulator/key` are for whoever tests.
package struct SimulatorServer: Sendable {
    /// The connection is to be cut; the body's writer throws it.
    private struct Cut: Error {}

    /// How long a request may go on when the server shuts down.
    private static let grace: Duration = .seconds(1)

    private let world: NIOLockedValueBox<SimulatedWorld>
    private let ledger: LedgerFile?
    private let configuration: SimulatorConfiguration
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private let lateRequests = LateRequests()

    /// Opens the ledger's file.
    ///
    /// - Throws: when the file cannot be written.
    package init(_ configuration: SimulatorConfiguration) throws {
        self.configuration = configuration
        var world = SimulatedWorld(
            registry: configuration.registry, keys: configuration.keys,
            acceptsDuplicates: configuration.acceptsDuplicates)
        world.faults.set(configuration.faults)
        self.world = NIOLockedValueBox(world)
        ledger = try configuration.ledgerFile.map(LedgerFile.init(path:))
        start = clock.now
    }

    /// Serves until the task is cancelled or the service group shuts down; `ready` gets the port that was bound.
    package func run(ready: @escaping @Sendable (Int) -> Void) async throws {
        let port = configuration.port
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                do {
                    return try await untilShutdown { try await respond(request) }
                } catch is Cut {
                    return Response(status: .ok, body: body(ByteBuffer(), .none))
                }
            },
            configuration: .init(address: .hostname(configuration.host, port: port)),
            onServerRunning: { channel in ready(channel.localAddress?.port ?? port) },
            logger: Logger(label: "simulator") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { group in
            group.addTask(name: "late-requests") { await lateRequests.run() }
            try await serve(application)
            group.cancelAll()
        }
    }

    /// Shuts the server down gracefully when the task is cancelled: NIO traps when a server ends by cancellation while it
    /// holds a connection that it accepted and has not begun to serve (apple/swift-nio, issue 3481). So it is the requests
    /// that are cut, and the server is cancelled only if it does not end then.
    private func serve(_ application: some ApplicationProtocol) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: application.logger)
        configuration.maximumGracefulShutdownDuration = .seconds(20)
        let services = ServiceGroup(configuration: configuration)
        // Unstructured on purpose: a child would inherit the cancellation.
        let serving = Task { try await services.run() }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            Task { await services.triggerGracefulShutdown() }
        }
    }

    /// Does the work of a request; throws ``Cut`` if that goes on after ``grace`` when the server shuts down.
    private func untilShutdown<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws
        -> Result
    {
        try await withThrowingTaskGroup { group in
            group.addTask(name: "answer") { try await work() }
            group.addTask(name: "shutdown") {
                try await gracefulShutdown()
                try await Task.sleep(for: Self.grace, clock: clock)
                throw Cut()
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw Cut() }
            return result
        }
    }

    private func respond(_ request: Request) async throws -> Response {
        var segments = request.uri.path.split(separator: "/").map { $0.removingPercentEncoding ?? String($0) }
        guard let name = segments.first else { return json(SimulatedAnswer(404, .null)) }
        segments.removeFirst()
        if name == "_simulator" { return try await respond(to: segments, request) }
        segments.removeFirst(configuration.basePathLength(of: name, in: segments))
        let simulated = try await simulated(request, segments)
        world.withLockedValue { $0.began(name, at: clock.now - start) }
        defer { world.withLockedValue { $0.ended(name) } }
        let now = Date()
        var outcome = written { world in
            world.answer(simulated, from: name, id: UUID().uuidString.lowercased(), at: now.formatted(.iso8601))
        }
        if let wait = outcome.takesEffectAfter {
            outcome = try await cut(after: outcome.isCutAfter) {
                try await lateRequests.outcome(after: wait) {
                    written { world in
                        world.answerUndisturbed(
                            simulated, from: name, id: UUID().uuidString.lowercased(), at: Date().formatted(.iso8601))
                    }
                }
            }
        }
        let delay = configuration.delay + outcome.delay
        if delay > .zero { try await Task.sleep(for: delay, clock: clock) }
        return response(outcome, now)
    }

    /// Does `work`, or throws ``Cut`` after `limit`; what was begun goes on.
    private func cut<Result: Sendable>(
        after limit: Duration?, _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard let limit else { return try await work() }
        return try await withThrowingTaskGroup { group in
            group.addTask(name: "late-answer") { try await work() }
            group.addTask(name: "cut") {
                try await Task.sleep(for: limit, clock: clock)
                throw Cut()
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw Cut() }
            return result
        }
    }

    /// Asks the world, and writes the effect that it tells of.
    private func written(_ ask: (inout SimulatedWorld) -> SimulatedWorld.Outcome) -> SimulatedWorld.Outcome {
        world.withLockedValue { world in
            let outcome = ask(&world)
            // Inside the lock, so that the file has the ledger's order and nothing is answered before it is written.
            if let effect = outcome.effect { ledger?.append(effect.line) }
            return outcome
        }
    }

    private func simulated(_ request: Request, _ path: [String]) async throws -> SimulatedRequest {
        let body = try await request.body.collect(upTo: 256 << 20)
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters { query[String(name)] = String(value) }
        return SimulatedRequest(
            method: request.method.rawValue, path: path, query: query, headers: headers,
            body: Array(body.readableBytesView))
    }

    private func response(_ outcome: SimulatedWorld.Outcome, _ now: Date) -> Response {
        var headers: HTTPFields = [.contentType: outcome.contentType]
        for (name, value) in outcome.answer.headers {
            guard let field = HTTPField.Name(name) else { continue }
            headers[field] = value.hasPrefix("date+") ? Self.date(now, plus: Int(value.dropFirst(5)) ?? 0) : value
        }
        if let coding = outcome.form.coding { headers[.contentEncoding] = coding }
        return Response(
            status: .init(code: outcome.answer.status), headers: headers,
            body: body(ByteBuffer(bytes: outcome.form.bytes(of: outcome.answer.body)), outcome.delivery))
    }

    private func body(_ whole: ByteBuffer, _ delivery: SimulatedWorld.Delivery) -> ResponseBody {
        switch delivery {
        case .whole:
            return ResponseBody(byteBuffer: whole)
        case .half, .none:
            let half = delivery == .half ? whole.getSlice(at: 0, length: whole.readableBytes / 2) : nil
            return ResponseBody(contentLength: whole.readableBytes + 1) { writer in
                if let half { try await writer.write(half) }
                // Hummingbird closes the connection when a body cannot be written to its end.
                throw Cut()
            }
        case .closing:
            return ResponseBody(contentLength: whole.readableBytes) { writer in
                try await writer.write(whole)
                throw Cut()
            }
        case .followed(let stray, let pause):
            // Beyond the announced length, and so a second answer to whoever reads.
            return ResponseBody(contentLength: whole.readableBytes) { writer in
                try await writer.write(whole)
                if pause > .zero { try await Task.sleep(for: pause, clock: clock) }
                try await writer.write(ByteBuffer(string: Self.raw(stray)))
                try await writer.finish(nil)
            }
        case .slow(let pause):
            return ResponseBody(contentLength: whole.readableBytes) { writer in
                for byte in whole.readableBytesView {
                    // What is left of the body has no grace of its own for each byte.
                    if Task.isShuttingDownGracefully { throw Cut() }
                    try await untilShutdown { try await Task.sleep(for: pause, clock: clock) }
                    try await writer.write(ByteBuffer(bytes: [byte]))
                }
                try await writer.finish(nil)
            }
        case .endless:
            return ResponseBody { writer in
                try await writer.write(whole)
                // Ends with the connection, which throws here, or at the latest with a gigabyte.
                let blank = ByteBuffer(repeating: UInt8(ascii: " "), count: 65_536)
                for _ in 0..<16_384 { try await writer.write(blank) }
                throw Cut()
            }
        }
    }

    private static func raw(_ answer: SimulatedAnswer) -> String {
        "HTTP/1.1 \(answer.status) Stray\r\ncontent-type: application/json\r\n"
            + "content-length: \(answer.body.utf8.count)\r\n\r\n\(answer.body)"
    }

    private func respond(to segments: [String], _ request: Request) async throws -> Response {
        switch (request.method, segments) {
        case (.get, ["ledger"]):
            let lines = world.withLockedValue { $0.effects.map(\.line) }
            var answer = SimulatedAnswer(200, .null)
            answer.body = "[" + lines.joined(separator: ",\n") + "]"
            return json(answer)
        case (.get, ["summary"]): return json(SimulatedAnswer(200, world.withLockedValue { $0.summary }))
        case (.put, ["faults"]):
            let body = try await request.body.collect(upTo: 1 << 20)
            do {
                let rules = try FaultRule.list(JSONValue(parsing: Array(body.readableBytesView)))
                world.withLockedValue { $0.faults.set(rules) }
                return json(SimulatedAnswer(200, .string("\(rules.count) rules are in force")))
            } catch {
                return json(SimulatedAnswer(400, .string("\(error)")))
            }
        case (.put, ["key"]):
            let key = String(buffer: try await request.body.collect(upTo: 1 << 10))
            guard !key.isEmpty else { return json(SimulatedAnswer(400, .string("the body is the new key"))) }
            world.withLockedValue { $0.rotate(to: key) }
            return json(SimulatedAnswer(200, .string("the key is another")))
        default: return json(SimulatedAnswer(404, .string("use ledger, summary, faults or key")))
        }
    }

    private func json(_ answer: SimulatedAnswer) -> Response {
        Response(
            status: .init(code: answer.status), headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: answer.body)))
    }

    /// An HTTP date (RFC 9110, section 5.6.7), `seconds` after `now`.
    private static func date(_ now: Date, plus seconds: Int) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: now + Double(seconds))
    }
}
