import NIOCore

/// Finds the ends of requests in a stream of bytes, and nothing else: no header is kept but the key.
///
/// A full parser would cost more than all the rest of the server, and would be measured with the worker.
struct RequestScanner {
    /// What one request told.
    struct Request: Equatable {
        /// Its `Idempotency-Key`; empty without one.
        var key: String
    }

    private static let headEnd = Array("\r\n\r\n".utf8)
    private static let lengthName = Array("content-length:".utf8)
    private static let keyName = Array("idempotency-key:".utf8)

    /// Bytes of a request that has not come whole.
    private(set) var pending = ByteBuffer()

    let readsKeys: Bool

    init(readsKeys: Bool) {
        self.readsKeys = readsKeys
    }

    mutating func append(_ bytes: inout ByteBuffer) {
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
    }

    /// The next whole request; nil until more bytes come.
    mutating func next() -> Request? {
        let found = pending.withUnsafeReadableBytes { bytes -> (length: Int, key: String)? in
            guard let headLength = Self.headLength(bytes) else { return nil }
            let head = UnsafeRawBufferPointer(rebasing: bytes[..<headLength])
            let body = Self.value(of: Self.lengthName, in: head).flatMap { Int($0) } ?? 0
            guard bytes.count >= headLength + body else { return nil }
            return (headLength + body, readsKeys ? Self.value(of: Self.keyName, in: head) ?? "" : "")
        }
        guard let found else { return nil }
        pending.moveReaderIndex(forwardBy: found.length)
        if pending.readableBytes == 0 { pending.clear() } else { pending.discardReadBytes() }
        return Request(key: found.key)
    }

    private static func headLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 3
        while index < bytes.count {
            // The end is a line feed, and the one before it a return: after any other byte the next cannot be it.
            if bytes[index] == headEnd[3] {
                if bytes[index - 1] == headEnd[2], bytes[index - 2] == headEnd[1], bytes[index - 3] == headEnd[0] {
                    return index + 1
                }
                index += 1
            } else {
                index += bytes[index] == headEnd[2] ? 1 : 2
            }
        }
        return nil
    }

    /// The value of a header at the beginning of a line, whatever the case of its name.
    private static func value(of name: [UInt8], in head: UnsafeRawBufferPointer) -> String? {
        var start = 0
        while start < head.count {
            var end = start
            while end < head.count, head[end] != 10 { end += 1 }
            if end - start > name.count, matches(name, head, at: start) {
                let line = head[(start + name.count)..<end].drop { $0 == 32 }.prefix { $0 != 13 && $0 != 32 }
                return String(decoding: line, as: UTF8.self)
            }
            start = end + 1
        }
        return nil
    }

    private static func matches(_ name: [UInt8], _ head: UnsafeRawBufferPointer, at start: Int) -> Bool {
        // Names hold letters and a hyphen, which this bit leaves as it is.
        for index in name.indices where head[start + index] | 0x20 != name[index] { return false }
        return true
    }
}
