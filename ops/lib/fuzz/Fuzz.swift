import FoundationEssentials

@testable import Contracts
@testable import JobModel
@testable import Kinds
@testable import Postgres
@testable import Providers

/// One input of the fuzzer: the first byte says who reads the rest. Nothing may trap, and what must hold is checked.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    switch start[0] % 6 {
    case 0: readPayload(bytes)
    case 1: readAnswer(bytes)
    case 2: readRetryAfter(bytes)
    case 3: readRow(bytes)
    case 4: readMessage(bytes)
    default: readHeaders(bytes)
    }
    return 0
}

/// A caller's payload: every contract judges it, and what was read and written again is the same value.
private func readPayload(_ bytes: [UInt8]) {
    // What is no JSON ends here, with its error.
    guard let value = try? JSONValue(parsing: bytes) else { return }
    guard let view = try? JSONView(parsing: bytes) else { preconditionFailure("the bytes are JSON for one reader alone") }
    precondition(view.value == value, "two readers read two values")
    for contract in Registry.shipped.kinds.map(\.contract) {
        let faults = contract.faults(in: view, keeping: 100)
        // A fault names a path, never a value: a mark that only a value holds must not come out.
        for fault in faults.first { precondition(!fault.description.contains("piimark"), "a value in a fault") }
    }
    guard let again = try? JSONValue(parsing: Array(value.serialized.utf8)) else {
        preconditionFailure("what was written cannot be read")
    }
    precondition(again == value, "read and written is not the same")
}

/// A provider's answer to a create and to a look-up, of every kind; the first byte makes the status.
private func readAnswer(_ bytes: [UInt8]) {
    let types = ["", "application/json; charset=iso-8859-1", "text/plain; charset=utf-16"]
    let statuses = [200, 201, 204, 301, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 600]
    let status = statuses[Int(bytes[0]) % statuses.count]
    let answer = Answer(status: status, headers: ["content-type": types[Int(bytes[0] >> 4) % 3]], body: Array(bytes.dropFirst()))
    for definition in Registry.shipped.kinds {
        var claim = Claim(
            id: JobID(1), token: ClaimToken(1), kind: definition.kind, idempotencyKey: "k",
            payload: Array(#"{"external_id": "x", "partner_customer_id": "x", "email": "x"}"#.utf8), payloadBytes: 1,
            bodySHA256: [])
        claim.parameters = Array(#"{"customer_id": "c"}"#.utf8)
        claim.firstSentAge = .seconds(1)
        guard let context = CallContext(claim, definition) else { preconditionFailure("a claim that cannot be read") }
        let created = CreationReader.read(answer, for: context)
        precondition(created.outcome != .succeeded || created.providerID?.isEmpty == false, "a success without an id")
        precondition(
            definition.policy.resend != .never || created.outcome != .unavailable,
            "\(definition.kind) would be sent again")
        for id in [created.providerID].compactMap(\.self) {
            precondition(id.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "an id that is none")
        }
        guard let lookUp = definition.lookUp else { continue }
        if let pages = lookUp.pages, let body = answer.json {
            _ = pages.next(after: pages.joined(body, body), of: "/x")
        }
        let found = lookUp.read(answer, answer.json, for: context)
        precondition(found.outcome != .adopted || found.providerID?.isEmpty == false, "adopted without an id")
        precondition(!found.mayHaveReached, "a look-up creates nothing")
        if let status = found.providerStatus { precondition(status.utf8.count <= 64, "a status that is none") }
        _ = Redaction(definition).describe(answer)
    }
}

private func readRetryAfter(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    for name in ["retry-after", "retry_after"] {
        let wait = RetryAfter.wait([name: text, "date": text], now: Date(timeIntervalSince1970: 0))
        if let wait { precondition(wait >= .zero && wait <= RetryAfter.cap, "a wait out of bounds") }
    }
}

/// Header lines `name: value`.
private func readHeaders(_ bytes: [UInt8]) {
    var headers: [String: String] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1]) }
    }
    let answer = Answer(status: 503, headers: headers, body: bytes)
    _ = answer.json
    _ = RetryAfter.wait(headers, now: Date(timeIntervalSince1970: 1_000_000))
}

/// A row from the database: the first byte makes the column's type, the rest is its text.
private func readRow(_ bytes: [UInt8]) {
    let types: [UInt32] = [TypeOID.boolean, TypeOID.bytea, 20, 23, 25, 701, 1184, 2950]
    let text = Array(bytes.dropFirst())
    let rows = Rows(
        columns: ["c", "n"], affected: 1, tag: "SELECT", types: [types[Int(bytes[0]) % types.count], 25],
        cells: [Rows.Cell(start: 0, length: text.count), Rows.Cell(start: text.count, length: -1)], bytes: text,
        large: [:], count: 1)
    let row = rows[0]
    // What cannot be read is nil here; it may not trap.
    let number = try? row.decode(Int.self, at: 0)
    if let number { precondition(Int(String(decoding: text, as: UTF8.self)) == number, "another number") }
    let string = try? row.decode(String.self, at: 0)
    precondition(string != nil, "every text is a string")
    let octets = try? row.decode([UInt8].self, at: 0)
    if let octets, rows.types[0] == TypeOID.bytea {
        precondition(text.count == 2 + 2 * octets.count, "another number of bytes")
    }
    _ = try? row.decode(Bool.self, at: 0)
    _ = try? row.decode(Double.self, at: 0)
    precondition((try? row.decode(Int?.self, at: 1)) == .some(nil), "NULL is nil")
    precondition((try? row.decode(Int.self, at: 1)) == nil && (try? row.decode(Int.self, at: 2)) == nil, "no such value")
}

/// A message of the server or of libpq: one line, bounded, and without the values that class 22 quotes.
private func readMessage(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    for line in [ServerMessage.oneLine(text), ServerMessage.connectFailure(text).text] {
        precondition(line.count <= 500 && !line.contains(where: \.isNewline), "not one short line")
    }
    let scrubbed = ServerMessage.scrubbed("invalid input syntax for type integer: \"\(text)piimark\"", sqlState: SQLState("22P02"))
    precondition(!scrubbed.contains("piimark"), "a value in a message")
    _ = ServerMessage.withoutQuotes(text)
}
