import Glibc
import NIOConcurrencyHelpers

/// Looks up the addresses of one host name, on a thread of its own: `getaddrinfo` blocks, and a name server that is
/// silent makes it block for long.
final class HostResolver: Sendable {
    /// The result of the look-up.
    enum Answer: Sendable {
        /// The addresses as numbers, in the system's order.
        case addresses([String])
        /// The system's reason.
        case failed(String)
    }

    private let box = NIOLockedValueBox<Answer?>(nil)

    /// The answer, once it is there.
    var answer: Answer? { box.withLockedValue { $0 } }

    /// Begins the look-up; `completion` is called when the answer is there, perhaps long after anybody wants it.
    ///
    /// - Parameter lookUp: asks the system, and blocks.
    init(
        _ host: String, lookUp: @escaping @Sendable (String) -> Answer, completion: @escaping @Sendable () -> Void
    ) {
        let isStarted = DetachedThread.start { [box] in
            let answer = lookUp(host)
            box.withLockedValue { $0 = answer }
            completion()
        }
        if !isStarted { box.withLockedValue { $0 = .failed("the system gives no more threads") } }
    }

    /// Asks the system; as long as that takes.
    @Sendable static func lookUp(_ host: String) -> Answer {
        // All zero but these two; its pointers stay NULL.
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, nil, &hints, &list)
        // Set only on success.
        guard status == 0 else { return .failed(unsafe String(cString: gai_strerror(status))) }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [String] = []
        var entry = unsafe list
        // A linked list that ends with NULL.
        while let current = unsafe entry {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            // The address and its length belong together; the buffer's size goes with it.
            let failed = unsafe getnameinfo(
                current.pointee.ai_addr, current.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
                NI_NUMERICHOST)
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let address = String(decoding: bytes, as: UTF8.self)
            if failed == 0, !addresses.contains(address) { addresses.append(address) }
            unsafe entry = current.pointee.ai_next
        }
        return .addresses(addresses)
    }
}
