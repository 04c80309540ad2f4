import Foundation
import JobQueue
import NIOConcurrencyHelpers

/// What commands print. The only way to standard output: what cannot be written ends the command with exit code 74.
enum Terminal {
    private static let hasLostReader = NIOLockedValueBox(false)

    /// Whether the reader has gone, as in `| head -1`: nothing is written any more.
    static var isOver: Bool { hasLostReader.withLockedValue { $0 } }

    /// Prints lines, of which each stays one line whatever is in it.
    static func show(_ lines: [String]) throws(Failure) {
        try write(lines.map { $0.escapingControls + "\n" }.joined())
    }

    /// Prints one line.
    static func show(_ line: String) throws(Failure) { try show([line]) }

    /// Prints a table.
    static func show(_ table: OperatorDesk.Table) throws(Failure) { try show(lines(of: table)) }

    /// Prints lines in the place of all that a terminal shows; what is no terminal gets them one after the other.
    static func redraw(_ lines: [String]) throws(Failure) {
        // Clears the screen and goes to its top.
        if OutputDescriptor.output.isTerminal { try write("\u{1B}[2J\u{1B}[H") }
        try show(lines)
    }

    /// Writes text of this program's own as it is.
    static func write(_ text: String) throws(Failure) {
        guard !isOver else { return }
        do {
            try OutputDescriptor.output.write(Array(text.utf8), patience: -1)
        } catch  where error.number == EPIPE {
            hasLostReader.withLockedValue { $0 = true }
        } catch {
            throw Failure(
                .outputFailed, "cannot write to standard output: \(error.reason); what the command did is done")
        }
    }

    /// Writes a sentence to standard error, after all that was logged; nobody can be told where that fails.
    static func complain(_ lines: [String]) {
        LogWriter.shared.flush()
        let text = lines.map { $0.escapingControls + "\n" }.joined()
        try? OutputDescriptor.error.write(Array(text.utf8), patience: 1000)
    }

    /// Columns as wide as their widest value, names above.
    static func lines(of table: OperatorDesk.Table) -> [String] {
        let all = ([table.columns] + table.rows).map { $0.map(\.escapingControls) }
        let widths = table.columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            zip(row, widths).map { value, width in value.padding(to: width) }.joined(separator: "  ")
                .trimmingTrailingSpace()
        }
    }

    /// A name and a value a line, the values in one column.
    static func lines(of properties: [(name: String, value: String)]) -> [String] {
        let width = properties.map { $0.name.count }.max() ?? 0
        return properties.map { $0.name.padding(to: width + 2) + $0.value }
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    fileprivate func trimmingTrailingSpace() -> String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
