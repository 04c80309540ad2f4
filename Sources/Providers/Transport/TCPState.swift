import Glibc
import NIOCore

/// What the kernel says of a connection: parts of Linux's `struct tcp_info`, whose layout only grows at its end.
///
/// The C library's own declaration stops before the fields of interest.
struct TCPState: Sendable {
    private static let established: UInt32 = 1
    private static let tcpInfo = NIOBSDSocket.Option(rawValue: 11)
    private static let userTimeout = NIOBSDSocket.Option(rawValue: 18)

    /// The structure as 64-bit words; what the kernel does not know is zero.
    private let words: SIMD32<UInt64>

    /// Asks the kernel; nil where the channel is no socket. To be called on the channel's event loop.
    init?(of channel: any Channel) {
        var words = SIMD32<UInt64>()
        // Asked here, since each request asks twice and NIO makes a future of each answer. No channel but one of a socket
        // has a transport of this type.
        let status = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            var size = socklen_t(MemoryLayout.size(ofValue: words))
            return getsockopt($0, CInt(IPPROTO_TCP), Self.tcpInfo.rawValue, &words, &size)
        }
        guard status == 0 else { return nil }
        self.words = words
    }

    /// Lets no byte leave long after it was written.
    ///
    /// Bytes that the other side does not take are given up after `patience`, by the kernel, so that it also holds while
    /// this process is stopped; and when the process is killed or closes the connection, what has not left is thrown
    /// away instead of being sent by the kernel for minutes more.
    static func limitLateBytes(of channel: any Channel, patience: Duration) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        let milliseconds = CInt(clamping: patience.nanoseconds / 1_000_000)
        return provider.unsafeSetSocketOption(level: .tcp, name: userTimeout, value: milliseconds)
            .and(provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))).map { _ in }
    }

    /// Whether both sides can still send.
    var isOpen: Bool { UInt32(truncatingIfNeeded: words[0] & 0xFF) == Self.established }
    /// Bytes received so far, read or not; the end of the other side's stream counts as one.
    var bytesReceived: UInt64 { words[16] }
    /// What the other side has room for, in bytes. Linux tells it since 5.4; zero before.
    var sendWindow: Int { Int(field(at: 228)) }

    /// Whether everything that was written has left, and arrived at the other side's kernel.
    var hasDelivered: Bool { field(at: 24) == 0 && field(at: 144) == 0 }

    /// Whether `count` bytes leave at once when they are written now.
    ///
    /// - Parameter tellsWindow: whether this kernel tells the window.
    func sendsAtOnce(_ count: Int, tellsWindow: Bool) -> Bool {
        let congestionWindow = Int(field(at: 80)) * Int(field(at: 16))
        return hasDelivered && count <= congestionWindow && (!tellsWindow || count <= sendWindow)
    }

    private func field(at offset: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: words[offset / 8] >> UInt64(8 * (offset % 8)))
    }
}
