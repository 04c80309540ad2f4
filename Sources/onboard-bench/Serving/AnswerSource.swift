import NIOConcurrencyHelpers
import NIOCore

/// The smallest success that the reader of Juicyway's creations accepts, with an id that no other answer has.
final class AnswerSource: Sendable {
    static let shared = AnswerSource()

    private let number = NIOLockedValueBox(100_000_000_000)

    /// The bytes of the next answer.
    func next() -> ByteBuffer {
        let id = number.withLockedValue { number in
            number += 1
            return number
        }
        let body = #"{"data":{"id":"\#(id)"}}"#
        let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: "
        return ByteBuffer(string: "\(head)\(body.utf8.count)\r\n\r\n\(body)")
    }
}
