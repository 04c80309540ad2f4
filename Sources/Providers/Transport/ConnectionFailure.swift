import Glibc
import NIOCore
import NIOPosix

extension NIOConnectionError {
    /// Where no connection could be made, and why. A request's path or body is never in it.
    var sentence: String { "\(host):\(port): \(cause)" }

    private var cause: String {
        if let error = connectionErrors.first?.error {
            // The system's own words; other descriptions may hold more than an operator needs.
            guard let error = error as? IOError else { return String(describing: type(of: error)) }
            return String(cString: strerror(error.errnoCode))
        }
        return dnsAError != nil || dnsAAAAError != nil ? "the name cannot be resolved" : "no address"
    }
}
