import Foundation

/// The rules of the house that no compiler holds; pure, so that they can be tested with bad input.
enum SourceRules {
    /// What each room may import; what is not here may not be.
    static let imports: [String: Set<String>] = [
        "CMalloc": [],
        "CPostgres": [],
        "CZlib": [],
        "JobModel": [],
        "Contracts": ["JobModel"],
        "Kinds": ["Contracts", "JobModel"],
        "Postgres": ["CPostgres", "Glibc", "NIOConcurrencyHelpers", "Logging"],
        "JobQueue": ["Contracts", "JobModel", "Kinds", "Postgres", "SQLCatalog", "Logging"],
        "Providers": [
            "CZlib", "JobModel", "Contracts", "Kinds", "AsyncHTTPClient", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
            "NIOConcurrencyHelpers", "Crypto", "FoundationEssentials", "Glibc", "Logging",
        ],
        "Worker": [
            "JobModel", "JobQueue", "Kinds", "Postgres", "Providers", "ServiceLifecycle", "Logging",
            "NIOConcurrencyHelpers",
            "DequeModule",
        ],
        "Simulator": [
            "Contracts", "JobModel", "Kinds", "Crypto", "Foundation", "Glibc", "HTTPTypes", "Hummingbird", "Logging",
            "NIOConcurrencyHelpers", "NIOCore", "ServiceLifecycle", "UnixSignals",
        ],
        "SQLCatalog": [],
        "EmbedSQLPlugin": ["Foundation", "PackagePlugin"],
        "embed-sql": ["Foundation"],
        "TestKit": [
            "JobQueue", "Postgres", "Foundation", "Glibc", "NIOConcurrencyHelpers", "NIOCore", "NIOPosix",
        ],
        "ProtocolModel": [],
        "SeededRandom": [],
        "onboard-chaos": [
            "Contracts", "JobModel", "Kinds", "Postgres", "ProtocolModel", "SeededRandom", "TestKit", "ArgumentParser",
            "Foundation", "NIOConcurrencyHelpers",
        ],
        "onboard": [
            "CMalloc", "JobModel", "JobQueue", "Postgres", "Contracts", "Kinds", "Providers", "Worker",
            "ArgumentParser",
            "Configuration", "Foundation", "Logging", "NIOConcurrencyHelpers", "ServiceLifecycle", "UnixSignals",
        ],
        "onboard-bench": [
            "JobModel", "Kinds", "Postgres", "Providers", "Worker", "ArgumentParser", "AsyncHTTPClient", "Foundation",
            "Logging",
            "NIOConcurrencyHelpers", "NIOCore", "NIOHTTP1", "NIOPosix", "ServiceLifecycle", "UnixSignals",
        ],
        "onboard-simulator": ["Simulator", "Contracts", "Kinds", "ArgumentParser", "Foundation"],
    ]

    /// Words that may stand only in the named files, each with its reason there.
    static let restricted: [String: Set<String>] = [
        "Task {": ["Shielded.swift", "SimulatorServer.swift", "TestCluster.swift", "TestDatabase.swift"],
        " Task(name:": ["Work.swift", "PoolTimer.swift"],
        "Date()": ["HTTPProviderCaller.swift", "SimulatorServer.swift", "LogLine.swift"],
        "fatalError(": [], "try!": [], "as!": [],
        // In the command all output goes through Terminal.swift, which escapes it and notices what is not written.
        "print(": ["Main.swift", "Campaign.swift"],
        // A failed read or write of these ends the process.
        "FileHandle.standardError": [], "FileHandle.standardOutput": ["Measure.swift"],
        "readDataToEndOfFile(": ["SimulatorProcess.swift"],
    ]

    /// Functions of the schema that are longer than 70 lines, each one statement whose parts cannot be separate ones: the rows that
    /// a claim or a batch of results changes are locked, changed, recorded and counted under one snapshot.
    static let longRoutines = ["claiming/claim.sql": 103, "completion/complete.sql": 119]

    static let forbiddenNames = ["Manager", "Helper", "Util", "Common", "Base", "Misc"]

    /// The faults of one file, each as `line: what`.
    static func faults(in text: String, file: String, room: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var faults = importFaults(lines, room) + lengthFaults(lines) + documentationFaults(lines)
        for (word, files) in restricted where !files.contains(file) {
            for (index, line) in lines.enumerated() where code(line).contains(word) && !isPartOfName(word, code(line)) {
                faults.append("\(index + 1): \(word) may not stand here")
            }
        }
        for name in forbiddenNames where file.contains(name) { faults.append("1: a file may not be called \(name)") }
        for (index, line) in lines.enumerated() where code(line).contains("@unchecked Sendable") {
            let around = lines[max(0, index - 14)...min(lines.count - 1, index + 3)].joined()
            if !around.contains("//") { faults.append("\(index + 1): @unchecked Sendable needs its reason") }
        }
        return faults
    }

    private static func importFaults(_ lines: [String], _ room: String) -> [String] {
        lines.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place <= 2, words.count > place + 1, !line.hasPrefix("//")
            else { return nil }
            guard words[..<place].allSatisfy({ $0 == "package" || $0 == "@testable" || $0 == "public" }) else {
                return nil
            }
            let module = String(words[place + 1])
            return imports[room]?.contains(module) == true ? nil : "\(index + 1): \(room) may not import \(module)"
        }
    }

    private static func lengthFaults(_ lines: [String]) -> [String] {
        var faults = lines.count > 500 ? ["500: the file is longer than 500 lines"] : []
        var start: (line: Int, indent: Int)?
        for (index, line) in lines.enumerated() {
            let indent = line.prefix { $0 == " " }.count
            if start == nil, code(line).contains("func "),
                line.hasSuffix("{") || lines.dropFirst(index + 1).prefix(6).contains(where: { $0.hasSuffix("{") })
            {
                start = (index, indent)
            } else if let begun = start, indent == begun.indent, line.trimmingCharacters(in: .whitespaces) == "}" {
                if index - begun.line > 70 { faults.append("\(begun.line + 1): the function is longer than 70 lines") }
                start = nil
            }
        }
        return faults
    }

    private static func documentationFaults(_ lines: [String]) -> [String] {
        lines.enumerated().compactMap { index, line in
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            guard trimmed.hasPrefix("package "), !trimmed.hasPrefix("package import"),
                !trimmed.contains(" static func <"),
                !trimmed.contains("static func ==")
            else { return nil }
            // Attributes may stand between; conformances that every reader knows need no words.
            var above = index - 1
            while above >= 0, lines[above].trimmingCharacters(in: .whitespaces).hasPrefix("@") { above -= 1 }
            let isDocumented = above >= 0 && lines[above].trimmingCharacters(in: .whitespaces).hasPrefix("///")
            let isKnown = [
                "var description", "var startIndex", "var endIndex", "func hash(", "static var null", "init?(text:",
                "var unownedExecutor",
            ]
            .contains { trimmed.contains($0) }
            return isDocumented || isKnown ? nil : "\(index + 1): a package declaration needs its documentation"
        }
    }

    /// The number of lines of the function in a file of the schema, without its header; nil where it has none.
    static func routineLines(in text: String) -> Int? {
        let lines = text.split(separator: "\n")
        return lines.firstIndex { $0.hasPrefix("CREATE OR REPLACE FUNCTION ") }.map { lines.count - $0 }
    }

    /// The line without its comment.
    private static func code(_ line: String) -> String {
        line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
    }

    private static func isPartOfName(_ word: String, _ line: String) -> Bool {
        guard word == "print(", let range = line.range(of: word), range.lowerBound > line.startIndex else {
            return false
        }
        let before = line[line.index(before: range.lowerBound)]
        return before.isLetter || before == "."
    }
}
