import Foundation
import Postgres
import TestKit
import Testing

/// Every statement and command of the README, run as a reader would.
@Suite struct ReadmeTests {
    private struct Block {
        let language: String
        let text: String
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func blocks() throws -> [Block] {
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let parts = readme.components(separatedBy: "```")
        return stride(from: 1, to: parts.count, by: 2).map { index in
            let lines = parts[index].split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            return Block(language: String(lines[0]), text: lines.count > 1 ? String(lines[1]) : "")
        }
    }

    @Test func `the statements do what the README shows`() async throws {
        let blocks = try Self.blocks()
        try await withTestDatabase { url in
            for (index, block) in blocks.enumerated() where block.language == "sql" {
                let output = try Self.psql(url, block.text)
                if index + 1 < blocks.count, blocks[index + 1].language == "text" {
                    #expect(Self.normal(output) == Self.normal(blocks[index + 1].text), "\(block.text)")
                } else {
                    #expect(!output.contains("ERROR"), "\(block.text): \(output)")
                }
            }
        }
    }

    @Test func `the commands are there`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(1))
            let payload = FileManager.default.temporaryDirectory.appendingPathComponent(
                "onboard-readme-\(UUID().uuidString).json")
            try #"{"customer_type": "Person", "email": "ada@example.com"}"#.write(
                to: payload, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: payload) }
            var count = 0
            for block in try Self.blocks() where block.language == "sh" {
                for line in block.text.split(separator: "\n") where line.hasPrefix("onboard ") {
                    let command = line.split(separator: "#")[0].split(separator: " ").dropFirst().map(String.init)
                        .map { $0 == "payload.json" ? payload.path : $0 }
                    let arguments = command == ["work"] ? ["work", "--until-idle"] : command
                    let ended = try await Program.run("onboard", arguments, environment: stage.environment)
                    #expect(ended.exitCode == 0, "\(line): \(ended.errors)")
                    count += 1
                }
            }
            #expect(count >= 8)
        }
    }

    @Test func `scripts that the README names exist and can be run`() throws {
        for block in try Self.blocks() where block.language == "sh" {
            for line in block.text.split(separator: "\n") where line.hasPrefix("ops/") {
                let file = Self.root.appendingPathComponent(String(line.split(separator: " ")[0]))
                #expect(FileManager.default.isExecutableFile(atPath: file.path))
            }
        }
    }

    private static func psql(_ url: String, _ sql: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["psql", "-qX", "-v", "VERBOSITY=terse", "-P", "footer=off", "-d", url, "-c", sql]
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    private static func normal(_ text: String) -> [String] {
        text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
