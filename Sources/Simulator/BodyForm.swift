/// How an answer's body is written on the wire.
enum BodyForm: Sendable, Equatable {
    case plain
    case gzip
    case brokenGzip
    case unknownCoding
    case byteOrderMark
    case latin1

    /// The form that a fault asks for.
    init(_ fault: FaultRule.Fault) {
        switch fault {
        case .gzip: self = .gzip
        case .brokenGzip: self = .brokenGzip
        case .unknownCoding: self = .unknownCoding
        case .byteOrderMark: self = .byteOrderMark
        case .latin1: self = .latin1
        default: self = .plain
        }
    }

    /// The value of `Content-Encoding`; nil without one.
    var coding: String? {
        switch self {
        case .gzip, .brokenGzip: "gzip"
        case .unknownCoding: "br"
        case .plain, .byteOrderMark, .latin1: nil
        }
    }

    /// The bytes of `body`.
    func bytes(of body: String) -> [UInt8] {
        let plain = Array(body.utf8)
        switch self {
        case .plain: return plain
        case .gzip: return Self.gzip(plain)
        case .brokenGzip:
            let whole = Self.gzip(plain)
            return Array(whole.prefix(whole.count / 2))
        case .unknownCoding: return plain.map { ~$0 }
        case .byteOrderMark: return [0xEF, 0xBB, 0xBF] + plain
        case .latin1:
            // Only an object can take one member more.
            guard plain.first == UInt8(ascii: "{") else { return plain }
            let isEmpty = plain.dropFirst().first == UInt8(ascii: "}")
            return Array(#"{"note":"Jos"#.utf8) + [0xE9] + Array((isEmpty ? #"""# : #"","#).utf8) + plain.dropFirst()
        }
    }

    /// A gzip stream (RFC 1952) of stored blocks (RFC 1951, section 3.2.4).
    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(65_535)
            rest = rest.dropFirst(block.count)
            result.append(rest.isEmpty ? 1 : 0)
            result += little(UInt32(block.count), 2) + little(~UInt32(block.count), 2) + block
        } while !rest.isEmpty
        return result + little(checksum(bytes), 4) + little(UInt32(truncatingIfNeeded: bytes.count), 4)
    }

    private static func little(_ value: UInt32, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }

    /// CRC-32 as RFC 1952 has it.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
