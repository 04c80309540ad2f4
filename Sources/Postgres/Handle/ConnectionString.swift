import CPostgres

/// A connection string, taken apart as libpq does it.
package struct ConnectionString: Sendable {
    /// The keywords that the string sets, in libpq's order.
    private(set) var keywords: [(name: String, value: String)]

    /// Reads a URI or a list of keywords; an empty string sets nothing, so that the PG* variables count.
    ///
    /// - Throws: ``PostgresError/Code/invalidConnectionString`` with libpq's reason, without what it quotes.
    package init(parsing text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else {
            throw PostgresError(.invalidConnectionString, "the connection string holds a NUL character")
        }
        var reason: UnsafeMutablePointer<CChar>?
        // libpq allocates the list and the reason; both are freed below.
        guard let list = unsafe PQconninfoParse(text, &reason) else {
            defer { unsafe PQfreemem(reason) }
            let message = unsafe reason.map { unsafe String(cString: $0) } ?? "out of memory"
            throw PostgresError(
                .invalidConnectionString,
                "the connection string is not valid: \(ServerMessage.withoutQuotes(message))")
        }
        defer { unsafe PQconninfoFree(list) }
        keywords = []
        var entry = unsafe list
        // The list ends with an entry whose keyword is NULL.
        while let keyword = unsafe entry.pointee.keyword {
            if let value = unsafe entry.pointee.val {
                keywords.append((unsafe String(cString: keyword), unsafe String(cString: value)))
            }
            unsafe entry += 1
        }
    }

    /// The value that the string gives to a keyword.
    package subscript(name: String) -> String? {
        get { keywords.first { $0.name == name }?.value }
        set {
            keywords.removeAll { $0.name == name }
            if let newValue { keywords.append((name, newValue)) }
        }
    }

    /// The whole as a list of keywords, secrets included: for handing it on, never for printing.
    package var keywordForm: String {
        keywords.map { name, value in
            let escaped = value.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
            return "\(name)='\(escaped)'"
        }.joined(separator: " ")
    }
}

extension ConnectionString: CustomStringConvertible {
    /// The keywords' names alone.
    package var description: String { "connection string with \(keywords.map(\.name).joined(separator: ", "))" }
}
