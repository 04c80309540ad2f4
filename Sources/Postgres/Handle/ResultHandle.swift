import CPostgres

/// Owns one `PGresult`. Everything that comes out is a copy.
@safe struct ResultHandle: ~Copyable {
    private let pointer: OpaquePointer

    /// Takes the ownership of what `PQgetResult` returned.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        // Nobody else has the pointer.
        unsafe PQclear(pointer)
    }

    /// Whether the connection is now in a COPY, which this layer does not speak.
    var isCopy: Bool {
        // Borrowed from the owner for the call, as in every line below.
        let status = unsafe PQresultStatus(pointer)
        return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
    }

    /// The error in it, if it is one.
    var error: PostgresError? {
        switch unsafe PQresultStatus(pointer) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE: nil
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PostgresError(.unsupported, "COPY is not supported", closedConnection: true)
        default: serverError()
        }
    }

    /// The rows, copied.
    func rows() -> Rows {
        let count = Int(unsafe PQntuples(pointer))
        let width = Int(unsafe PQnfields(pointer))
        var columns: [String] = []
        var types: [UInt32] = []
        for column in 0..<CInt(width) {
            columns.append(unsafe string(PQfname(pointer, column)) ?? "")
            types.append(unsafe PQftype(pointer, column))
        }
        let tag = unsafe string(PQcmdStatus(pointer)) ?? ""
        var large: [Int: [UInt8]] = [:]
        let (cells, bytes) = copyCells(count: count, width: width, &large)
        return Rows(
            columns: columns, affected: Int(unsafe string(PQcmdTuples(pointer)) ?? "") ?? 0,
            tag: String(tag.prefix { $0 != " " }), types: types, cells: cells, bytes: bytes, large: large,
            count: count)
    }

    /// From this size on a cell has an array of its own.
    private static let large = 1 << 16

    private func copyCells(count: Int, width: Int, _ large: inout [Int: [UInt8]]) -> ([Rows.Cell], [UInt8]) {
        var cells: [Rows.Cell] = []
        cells.reserveCapacity(count * width)
        var total = 0
        for row in 0..<CInt(count) {
            for column in 0..<CInt(width) {
                guard unsafe PQgetisnull(pointer, row, column) == 0 else {
                    cells.append(Rows.Cell(start: total, length: -1))
                    continue
                }
                let length = Int(unsafe PQgetlength(pointer, row, column))
                if length >= Self.large, let value = unsafe PQgetvalue(pointer, row, column) {
                    // PQgetlength bytes are valid at value until the result is cleared.
                    large[cells.count] = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: length))
                    cells.append(Rows.Cell(start: 0, length: length))
                    continue
                }
                cells.append(Rows.Cell(start: total, length: length))
                total += length
            }
        }
        // The standard library would write into the empty array that all threads share: a race for ThreadSanitizer.
        guard total > 0 else { return (cells, []) }
        // Measured first, copied into one block second: no growth, one allocation however many cells.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: total) { buffer, filled in
            for (index, cell) in cells.enumerated() where cell.length > 0 && cell.length < Self.large {
                let row = CInt(index / width)
                let column = CInt(index % width)
                guard let value = unsafe PQgetvalue(pointer, row, column), let base = buffer.baseAddress else {
                    continue
                }
                // PQgetlength bytes are valid at value, and the block was measured with the same lengths.
                unsafe UnsafeMutableRawPointer(base + cell.start).copyMemory(from: value, byteCount: cell.length)
            }
            filled = total
        }
        return (cells, bytes)
    }

    private func serverError() -> PostgresError {
        let state = field(CPG_DIAG_SQLSTATE).map { SQLState($0) }
        let primary = field(CPG_DIAG_MESSAGE_PRIMARY)
        // Without a SQLSTATE it is libpq that speaks, not the server.
        let fallback = unsafe string(PQresultErrorMessage(pointer)) ?? "no message"
        return PostgresError(
            state == nil ? .connectionLost : .server,
            ServerMessage.scrubbed(primary ?? fallback, sqlState: state), sqlState: state,
            constraint: field(CPG_DIAG_CONSTRAINT_NAME), column: field(CPG_DIAG_COLUMN_NAME),
            hint: field(CPG_DIAG_MESSAGE_HINT))
    }

    private func field<Code: BinaryInteger>(_ code: Code) -> String? {
        unsafe string(PQresultErrorField(pointer, CInt(code)))
    }

    private func string(_ characters: UnsafePointer<CChar>?) -> String? {
        // libpq's strings end with a NUL and live as long as the result.
        unsafe characters.map { unsafe String(cString: $0) }
    }
}
