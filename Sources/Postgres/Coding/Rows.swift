/// All rows of one result, copied out of libpq.
package struct Rows: Sendable, RandomAccessCollection {
    /// The columns' names, in order.
    package let columns: [String]
    /// How many rows the statement returned or changed, as its command tag says; 0 where the tag has no number.
    package let affected: Int
    /// The command tag's first word, such as `COMMIT`.
    let tag: String

    let types: [UInt32]
    /// One entry for each cell, row after row.
    let cells: [Cell]
    /// The bytes of all cells but the large ones, one after the other.
    let bytes: [UInt8]
    /// The bytes of cells so large that who reads them should get these and no copy, by the cell's index.
    let large: [Int: [UInt8]]
    /// Kept apart from `cells`, for a result may have rows without columns.
    package let count: Int

    /// How many bytes all cells have.
    var byteCount: Int { large.values.reduce(bytes.count) { $0 + $1.count } }

    /// Where a cell's bytes lie; a length of -1 is NULL.
    struct Cell: Sendable {
        let start: Int
        let length: Int
    }

    /// The first row's place.
    package var startIndex: Int { 0 }
    /// The place after the last row.
    package var endIndex: Int { count }

    /// The row at this place, from 0.
    package subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "row \(position) of \(count)")
        return Row(rows: self, index: position)
    }

    static let none = Rows(columns: [], affected: 0, tag: "", types: [], cells: [], bytes: [], large: [:], count: 0)
}
