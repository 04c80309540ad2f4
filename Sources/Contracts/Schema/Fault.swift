/// Where a payload breaks its contract, and how; never what stands there.
package struct Fault: Sendable, Equatable, CustomStringConvertible {
    /// JSON Pointer (RFC 6901) to the place; empty for the whole document.
    package let path: String
    /// What the place must be.
    package let message: String

    /// Path and message.
    package var description: String { "\(path.isEmpty ? "/" : path) \(message)" }
}
