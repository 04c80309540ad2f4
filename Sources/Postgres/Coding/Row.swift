/// One row of a result.
package struct Row: Sendable {
    let rows: Rows
    let index: Int

    /// The columns' names, in order.
    package var columns: [String] { rows.columns }

    /// Whether the column, from 0, is NULL.
    package func isNull(at column: Int) -> Bool {
        rows.cells.indices.contains(index * columns.count + column)
            && rows.cells[index * columns.count + column].length < 0
    }

    /// The column's value as `Int64`, `Int`, `String`, `Bool`, `Double`, `[UInt8]` or an optional of them.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if there is no such column, if it is NULL and the type is not
    ///   optional, or if it does not hold that type.
    package func decode<T: ColumnDecodable>(_ type: T.Type = T.self, at column: Int) throws(PostgresError) -> T {
        guard column >= 0, column < columns.count else {
            throw PostgresError(.decoding, "the result has no column \(column)")
        }
        let cell = rows.cells[index * columns.count + column]
        guard cell.length >= 0 else {
            if let null = T.null { return null }
            throw PostgresError(.decoding, "the column is NULL", column: columns[column])
        }
        let bytes = rows.bytes[cell.start..<cell.start + cell.length]
        guard let value = T(text: bytes, type: rows.types[column]) else {
            throw PostgresError(.decoding, "the column does not hold \(T.self)", column: columns[column])
        }
        return value
    }

    /// The value of the column of this name; the first, if several have it.
    ///
    /// - Throws: as ``decode(_:at:)``.
    package func decode<T: ColumnDecodable>(_ type: T.Type = T.self, _ name: String) throws(PostgresError) -> T {
        guard let column = columns.firstIndex(of: name) else {
            throw PostgresError(.decoding, "the result has no such column", column: name)
        }
        return try decode(type, at: column)
    }
}

extension Row: CustomStringConvertible {
    /// The columns' names alone: a row's values are never printed.
    package var description: String { "row of \(columns.joined(separator: ", "))" }
}
