/// A value of the request that the answer repeats. It shows whose record the answer is about.
package struct Identity: Sendable {
    /// The member of the record, by the names that lead to it.
    package let path: [String]
    /// What the request said.
    package let sent: ValueSource

    /// A field that payload and record have under one name.
    package static func payload(_ path: String...) -> Identity { Identity(path: path, sent: .payload(path)) }

    /// A parameter of the job that the record has under the same name.
    package static func parameter(_ name: String) -> Identity { Identity(path: [name], sent: .parameter(name)) }

    /// The field's name in errors.
    package var field: String { path.joined(separator: ".") }
}
