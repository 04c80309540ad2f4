// swift-tools-version: 6.2
import PackageDescription

/// The settings of every Swift target; the rules they enforce are explained in the README's layout section.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

let locks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "onboard",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "onboard", targets: ["onboard"]),
        .executable(name: "onboard-simulator", targets: ["onboard-simulator"]),
        .executable(name: "onboard-bench", targets: ["onboard-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .executableTarget(name: "embed-sql", swiftSettings: strict),
        .plugin(
            name: "EmbedSQLPlugin", capability: .buildTool(), dependencies: ["embed-sql"],
            path: "Sources/EmbedSQLPlugin"),
        .target(name: "SQLCatalog", swiftSettings: strict, plugins: ["EmbedSQLPlugin"]),
        .target(name: "JobModel", swiftSettings: strict),
        .target(
            name: "Postgres", dependencies: ["CPostgres", locks, logging],
            swiftSettings: strict + [.strictMemorySafety()]),
        .target(
            name: "JobQueue", dependencies: ["Contracts", "JobModel", "Kinds", "Postgres", "SQLCatalog", logging],
            swiftSettings: strict),
        .target(name: "Contracts", dependencies: ["JobModel"], swiftSettings: strict),
        .target(name: "Kinds", dependencies: ["JobModel", "Contracts"], swiftSettings: strict),
        .target(
            name: "Providers",
            dependencies: [
                "CZlib", "JobModel", "Contracts", "Kinds", logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), locks,
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: strict),
        .target(
            name: "Worker",
            dependencies: ["JobModel", "JobQueue", "Kinds", "Providers", deque, locks, logging, lifecycle],
            swiftSettings: strict),
        .target(
            name: "Simulator",
            dependencies: [
                "Contracts", "JobModel", "Kinds", lifecycle, locks, logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "onboard",
            dependencies: [
                "CMalloc", "JobModel", "JobQueue", "Postgres", "Contracts", "Kinds", "Providers", "Worker", arguments,
                lifecycle,
                locks, logging, .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "onboard-simulator", dependencies: ["Simulator", "Contracts", "Kinds", arguments],
            swiftSettings: strict),
        .target(
            name: "TestKit",
            dependencies: [
                "JobQueue", "Postgres", locks, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),
        .target(name: "ProtocolModel", swiftSettings: strict),
        .target(name: "SeededRandom", swiftSettings: strict),
        .executableTarget(
            name: "onboard-chaos",
            dependencies: [
                "Contracts", "JobModel", "Kinds", "Postgres", "ProtocolModel", "SeededRandom", "TestKit", arguments,
                locks,
                "onboard",
                "onboard-simulator",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "onboard-bench",
            dependencies: [
                "JobModel", "Kinds", "Postgres", "Providers", "Worker", arguments, lifecycle, logging, locks,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),
        .testTarget(name: "JobModelTests", dependencies: ["JobModel", "SeededRandom"], swiftSettings: strict),
        .testTarget(
            name: "PostgresTests", dependencies: ["Postgres", "SeededRandom", "TestKit", locks], swiftSettings: strict),
        .testTarget(
            name: "JobQueueTests", dependencies: ["JobModel", "JobQueue", "Postgres", "SQLCatalog", "TestKit"],
            exclude: ["PreviousRelease"], swiftSettings: strict),
        .testTarget(
            name: "ContractsTests", dependencies: ["JobModel", "Contracts", "Kinds", "SeededRandom"],
            swiftSettings: strict),
        .testTarget(
            name: "ProvidersTests",
            dependencies: [
                "JobModel", "Contracts", "Kinds", "Providers", "Simulator", locks,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], swiftSettings: strict),
        .testTarget(
            name: "SimulatorTests",
            dependencies: [
                "Simulator", "JobModel", "Contracts", "Kinds",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "JobModel", "JobQueue", "Kinds", "Postgres", "Contracts", "Providers", "Worker", "SeededRandom",
                "Simulator",
                "TestKit", logging, locks, lifecycle,
            ], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["onboard", "onboard-simulator", "Postgres", "TestKit", locks, logging],
            swiftSettings: strict),
        .testTarget(
            name: "ProtocolModelTests", dependencies: ["ProtocolModel", "SeededRandom"], swiftSettings: strict),
        .testTarget(name: "ArchitectureTests", swiftSettings: strict),
    ]
)
