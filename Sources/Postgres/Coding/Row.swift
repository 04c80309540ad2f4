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
        let place = index * columns.count + column
        let cell = rows.cells[place]
        let text =
            cell.length < 0 ? nil : rows.large[place]?[...] ?? rows.bytes[cell.start..<cell.start + cell.length]
        do throws(ColumnFault) {
            return try T(text, type: rows.types[column])
        } catch {
            let problem = error == .isNull ? "is NULL" : "does not hold \(T.self)"
            throw PostgresError(.decoding, "the column \(problem)", column: columns[column])
        }
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
