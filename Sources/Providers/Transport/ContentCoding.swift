import CZlib

/// Content codings (RFC 9110, section 8.4) as they are, and not only as they are called.
enum ContentCoding {
    /// What is asked for.
    static let accepted = "gzip"
    /// How often an answer may be coded.
    private static let most = 2

    /// The body without its codings, which show in its first bytes: no JSON begins as gzip (RFC 1952) or zlib (RFC 1950)
    /// do. Nil when it is broken, or longer than `limit`.
    ///
    /// - Parameter name: what the answer calls the coding; tells alone of `deflate` without a header.
    static func decode(_ body: [UInt8], name: String?, limit: Int) -> [UInt8]? {
        var body = body
        for _ in 0..<most {
            if isGzip(body[...]) || isZlib(body) {
                guard let inner = inflated(body, windowBits: 15 + 32, limit: limit) else { return nil }
                body = inner
            } else if let name, name.lowercased().contains("deflate"), !isPlain(body),
                let inner = inflated(body, windowBits: -15, limit: limit)
            {
                return inner
            } else {
                break
            }
        }
        return body
    }

    /// Whether a body begins as JSON, whatever its coding is called.
    private static func isPlain(_ body: [UInt8]) -> Bool { body.first.map { "{[ \r\n".utf8.contains($0) } ?? true }

    private static func isGzip(_ body: ArraySlice<UInt8>) -> Bool { body.starts(with: [0x1F, 0x8B]) }

    private static func isZlib(_ body: [UInt8]) -> Bool {
        body.count > 2 && body[0] & 0x0F == 8 && (UInt(body[0]) << 8 | UInt(body[1])) % 31 == 0
    }

    /// All members of `body`, one after the other. NULs may follow; that the last one's check sum is missing does no harm,
    /// since half a JSON text is none.
    private static func inflated(_ body: [UInt8], windowBits: CInt, limit: Int) -> [UInt8]? {
        // zlib keeps the address.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        guard czlib_inflate_init(stream, windowBits) == Z_OK else { return nil }
        defer { inflateEnd(stream) }
        var input = body
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        return input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = uInt(input.count)
            // Each round takes or gives a byte, or is the last.
            while true {
                let status = piece.withUnsafeMutableBufferPointer {
                    stream.pointee.next_out = $0.baseAddress
                    stream.pointee.avail_out = uInt($0.count)
                    return inflate(stream, Z_NO_FLUSH)
                }
                output += piece[..<(piece.count - Int(stream.pointee.avail_out))]
                guard output.count <= limit else { return nil }
                switch status {
                case Z_OK: continue
                case Z_BUF_ERROR: return output
                case Z_STREAM_END:
                    let rest = input.suffix(Int(stream.pointee.avail_in))
                    guard isGzip(Array(rest)[...]) else { return rest.allSatisfy { $0 == 0 } ? output : nil }
                    guard inflateReset(stream) == Z_OK else { return nil }
                default: return nil
                }
            }
        }
    }
}
