/// One SQL statement with its parameters.
package struct Statement: Sendable {
    /// The text, with `$1`, `$2` … for the parameters.
    package let sql: String
    /// If set, the statement is prepared once per connection under this name and its plan kept.
    ///
    /// One name stands for one text; where a program uses it for another, the statement is prepared anew.
    package let name: String?
    /// The values for `$1`, `$2` ….
    package let parameters: [Parameter]

    /// Makes a statement; without a name it is parsed and planned each time.
    package init(_ sql: String, name: String? = nil, parameters: [Parameter] = []) {
        self.sql = sql
        self.name = name
        self.parameters = parameters
    }

    /// What forbids sending it, if anything does.
    var fault: PostgresError? {
        if sql.utf8.contains(0) { return PostgresError(.invalidParameter, "the statement holds a NUL character") }
        if parameters.count > 65_535 {
            return PostgresError(.invalidParameter, "a statement takes at most 65535 parameters")
        }
        guard let index = parameters.firstIndex(where: \.holdsNUL) else { return nil }
        return PostgresError(.invalidParameter, "parameter $\(index + 1) holds a NUL character")
    }
}
