import Kinds

/// The variables that begin with `ONBOARD_`, of this program and of the scripts beside it.
enum Variables {
    private static let prefix = "ONBOARD_"
    private static let suffix = "_FILE"

    /// Known names, without their prefix.
    private static let known = Set([
        "DATABASE_URL", "CONCURRENCY", "PROVIDERS", "MAX_BYTES_IN_FLIGHT", "POLL_INTERVAL", "HTTP_TIMEOUT",
        "DRAIN_TIMEOUT", "OUTAGE_TIMEOUT", "HTTP_BIND", "HTTP_CA_FILE", "HTTP_PROXY", "HTTP_PROXY_CREDENTIALS",
        "CONSOLE_BIND", "CONSOLE_USERS", "CONSOLE_USER_HEADER", "CONSOLE_TRUSTED_PROXIES", "RECEIVE_BIND",
        "OTLP_ENDPOINT",
        "SEALING_KEYS", "LOG_LEVEL", "LOG_FORMAT", "ALLOW_PLAINTEXT",
        // The scripts' own, which what they start inherits.
        "BUILD_ARGUMENTS", "BUILD_CONFIGURATION", "BUILD_TIMEOUT", "TEST_DATABASE_URL", "TEST_TIMEOUT",
        "THROUGHPUT_JOBS", "RECORD_RELEASE",
    ]).union(Registry.shipped.providers.flatMap(\.settings))

    /// What is wrong with a set of variables, as one sentence; nil for nothing.
    static func fault(in values: [String: String]) -> String? {
        for name in values.keys.sorted() {
            if let nearest = nearest(toUnknown: name) {
                return "\(name) is not a variable of onboard; the nearest is \(nearest)"
            }
            guard name.hasPrefix(prefix), name.hasSuffix(suffix), !isKnown(name) else { continue }
            let direct = String(name.dropLast(suffix.count))
            if values[direct]?.isEmpty == false { return "\(direct) and \(name) are both set: keep one of them" }
        }
        return nil
    }

    private static func isKnown(_ name: String) -> Bool { known.contains(String(name.dropFirst(prefix.count))) }

    /// The known name nearest to one that is unknown; nil for a known one and for other programs' variables. A prefix that is
    /// nearly ours is a slip as well.
    private static func nearest(toUnknown name: String) -> String? {
        let base = name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
        if name.hasPrefix(prefix) {
            if isKnown(name) || isKnown(base) { return nil }
        } else if !name.uppercased().hasPrefix("ONB") {
            return nil
        }
        let names = known.map { prefix + $0 }.sorted()
        let distances = names.map { (name: $0, distance: distance(base.uppercased(), $0)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return name.hasPrefix(prefix) || best.distance <= 2 ? best.name : nil
    }

    /// How many letters must be changed, put in or left out.
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second.utf8)
        var row = Array(0...second.count)
        for (i, letter) in first.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in second.indices {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (letter == second[j] ? 0 : 1))
                diagonal = above
            }
        }
        return row[second.count]
    }
}
