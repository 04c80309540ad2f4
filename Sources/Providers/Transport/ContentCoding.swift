import NIOCore
import NIOHTTP1

/// Content codings (RFC 9110, section 8.4) as they are, and not only as they are called.
enum ContentCoding {
    /// What is asked for.
    static let accepted = "gzip, deflate"

    /// Rewrites the name of the coding as `NIOHTTPResponseDecompressor` knows it, and takes it out where the body is not
    /// coded at all.
    static func normalize(_ headers: inout HTTPHeaders, for body: ByteBuffer) {
        guard let name = headers.first(name: "content-encoding") else { return }
        let start = body.getBytes(at: body.readerIndex, length: min(2, body.readableBytes)) ?? []
        if isCompressed(start) {
            // `x-gzip` is another name of it; which of the two formats it is shows in the bytes.
            let known = ["gzip", "x-gzip", "deflate"].contains(name.lowercased())
            if known { headers.replaceOrAdd(name: "content-encoding", value: "gzip") }
        } else if start.isEmpty || [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(start[0]) {
            headers.remove(name: "content-encoding")
        }
    }

    /// Whether a body begins as gzip (RFC 1952) or zlib (RFC 1950) do.
    private static func isCompressed(_ start: [UInt8]) -> Bool {
        guard start.count == 2 else { return false }
        let isGzip = start == [0x1F, 0x8B]
        return isGzip || (start[0] & 0x0F == 8 && (UInt(start[0]) << 8 | UInt(start[1])) % 31 == 0)
    }
}
