/// Why bytes are not a JSON document. Says where, never what stands there.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// What was expected, in plain words.
    package let problem: String
    /// The offset of the offending byte.
    package let offset: Int

    /// Says what was expected where.
    package init(problem: String, offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    /// One sentence.
    package var description: String { "not JSON at byte \(offset): \(problem)" }
}
