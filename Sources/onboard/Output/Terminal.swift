import JobQueue

/// Prints tables for people.
enum Terminal {
    /// Columns as wide as their widest value, names above.
    static func show(_ table: OperatorDesk.Table) {
        let all = ([table.columns] + table.rows).map { $0.map(\.withoutControls) }
        let widths = table.columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for row in all {
            let cells = zip(row, widths).map { value, width in value.padding(to: width) }
            print(cells.joined(separator: "  ").trimmingTrailingSpace())
        }
    }
}

extension String {
    /// A caller's text must neither break the table nor drive the terminal.
    fileprivate var withoutControls: String {
        String(
            String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 })
        )
    }

    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    fileprivate func trimmingTrailingSpace() -> String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
