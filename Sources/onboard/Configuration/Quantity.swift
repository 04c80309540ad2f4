/// Reads durations and sizes as they are written in the configuration.
enum Quantity {
    /// `500ms`, `30s`, `5m`, `24h`; nil for anything else.
    static func duration(_ text: String) -> Duration? {
        let units: [(String, Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        return scaled(text, units).map { .milliseconds($0) }
    }

    /// `1048576`, `64KiB`, `256MiB`, `1GiB`; nil for anything else.
    static func bytes(_ text: String) -> Int? {
        scaled(text, [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)]).map(Int.init)
    }

    private static func scaled(_ text: String, _ units: [(suffix: String, factor: Int64)]) -> Int64? {
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let number = Int64(text.dropLast(unit.suffix.count)), number >= 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
            return overflow ? nil : product
        }
        return nil
    }
}
