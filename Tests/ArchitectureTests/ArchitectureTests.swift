import Foundation
import Testing

@Suite struct ArchitectureTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `the sources keep the rules of the house`() throws {
        let sources = Self.root.appendingPathComponent("Sources")
        var count = 0
        for room in try FileManager.default.contentsOfDirectory(atPath: sources.path) {
            #expect(SourceRules.imports[room] != nil, "the room \(room) is not in the table of imports")
            let folder = sources.appendingPathComponent(room)
            let files =
                FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL }
                ?? []
            for file in files where file.pathExtension == "swift" {
                count += 1
                let text = try String(contentsOf: file, encoding: .utf8)
                for fault in SourceRules.faults(in: text, file: file.lastPathComponent, room: room) {
                    Issue.record("\(room)/\(file.lastPathComponent):\(fault)")
                }
            }
        }
        #expect(count > 50)
    }

    /// A fact is cited with its public source, or with a file that the reader has.
    @Test func `no file names a document that the repository lacks`() throws {
        let known: Set<String> = ["README.md", "runbook.md", "mutants.md"]
        var count = 0
        for folder in ["Sources", "Tests", "sql", "ops"] {
            let top = Self.root.appendingPathComponent(folder)
            let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: [.isRegularFileKey])
            for case let file as URL in files ?? .init() where file.lastPathComponent != "ArchitectureTests.swift" {
                // Directories are no text.
                guard let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
                count += 1
                let named = text.matches(of: /[\w-]+\.md\b/).map { String($0.output) }
                for name in named where !known.contains(name) {
                    Issue.record("\(folder)/\(file.lastPathComponent) names \(name)")
                }
                #expect(!text.contains("(design, section") && !text.contains("seeds/"), "\(file.lastPathComponent)")
            }
        }
        #expect(count > 400)
    }

    @Test func `a function of the schema has at most 70 lines`() throws {
        let folder = Self.root.appendingPathComponent("sql")
        var count = 0
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.hasSuffix(".sql") {
            let text = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
            guard let lines = SourceRules.routineLines(in: text) else { continue }
            count += 1
            let limit = SourceRules.longRoutines[path] ?? 70
            #expect(lines <= limit, "sql/\(path) has \(lines) lines: split it by responsibility")
            // One that has become shorter stays so.
            if let known = SourceRules.longRoutines[path] { #expect(lines > 70 && lines > known - 5, "sql/\(path)") }
        }
        #expect(count > 90)
        #expect(SourceRules.routineLines(in: "-- X.\nCREATE OR REPLACE FUNCTION f()\nAS '\n';\n") == 3)
        #expect(SourceRules.routineLines(in: "CREATE TABLE t ();\n") == nil)
    }

    /// A provider is one folder: elsewhere its name would be a rule that the next provider has to repeat.
    @Test func `no source outside its folder knows a provider`() throws {
        let kinds = Self.root.appendingPathComponent("Sources/Kinds")
        let registry = try String(contentsOf: kinds.appendingPathComponent("Registry.swift"), encoding: .utf8)
        let list = try #require(registry.firstMatch(of: /shipped = Registry\(\[(.*)\]\)/)).output.1
        let names = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces.union(["."])).lowercased() }
        #expect(names.count >= 4)
        // What measures and the scripts of faults choose a provider as their load.
        let free: Set<String> = ["Kinds", "onboard-bench", "onboard-chaos"]
        let sources = Self.root.appendingPathComponent("Sources")
        for room in try FileManager.default.contentsOfDirectory(atPath: sources.path) where !free.contains(room) {
            let folder = sources.appendingPathComponent(room)
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                for name in names {
                    let forms = ["\"\(name)\"", "\"\(name).", "'\(name)'", "'\(name).", "\(name.uppercased())_"]
                    for line in text.split(separator: "\n") where forms.contains(where: line.contains) {
                        Issue.record("\(room)/\(file.lastPathComponent) names a provider: \(line)")
                    }
                }
            }
        }
    }

    @Test func `nothing else lies at the top`() throws {
        let known: Set<String> = ["Package.swift", "README.md", "Sources", "Tests", "sql", "ops"]
        for entry in try FileManager.default.contentsOfDirectory(atPath: Self.root.path) where !entry.hasPrefix(".") {
            #expect(known.contains(entry) || entry == "Package.resolved", "\(entry) has no place at the top")
        }
    }

    @Test(arguments: [
        ("import AsyncHTTPClient", "JobModel", "may not import AsyncHTTPClient"),
        ("package import Postgres", "Providers", "may not import Postgres"),
        ("package struct X {}", "JobModel", "needs its documentation"),
        ("    package var x = 1", "JobModel", "needs its documentation"),
        ("let x = try! f()", "JobModel", "try! may not stand here"),
        ("Task { await f() }", "Worker", "Task { may not stand here"),
        ("let now = Date()", "Worker", "Date() may not stand here"),
        ("print(1)", "Worker", "print( may not stand here"),
        ("final class X: @unchecked Sendable {}", "Worker", "needs its reason"),
        ("func f() {\n" + String(repeating: "    g()\n", count: 75) + "}", "Worker", "longer than 70"),
        (String(repeating: "\n", count: 501), "Worker", "longer than 500"),
    ])
    func `each rule finds what breaks it`(text: String, room: String, fault: String) {
        let faults = SourceRules.faults(in: text, file: "Some.swift", room: room)
        #expect(faults.contains { $0.contains(fault) }, "\(faults)")
    }

    @Test func `clean code has no faults`() {
        let text = """
            import JobModel

            /// A thing.
            package struct Thing {
                // Date() in a comment is fine.
                func f() { pretty.print(1) }
            }
            """
        #expect(SourceRules.faults(in: text, file: "Thing.swift", room: "JobQueue") == [])
    }
}
