import Foundation
import TestKit
import Testing

/// Signals that a terminal, a log rotation or a service manager sends.
@Suite(.timeLimit(.minutes(5))) struct SignalTests {
    @Test func `no signal but those that ask for the end drops a call in flight`() async throws {
        try await withStage(["--delay", "2000"]) { stage in
            try await stage.run(Load.connect(1))
            let worker = try stage.work()
            try await eventually("the call") { try stage.simulator.traffic(of: "connect")["most_in_flight"] == 1 }
            let signals = [
                SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ,
                SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGCHLD, SIGURG, SIGCONT, 40, 64,
            ]
            for signal in signals { worker.signal(signal) }
            try await eventually("the end") { try await stage.count("state = 'completed'") == 1 }
            worker.signal(SIGTERM)
            worker.signal(SIGHUP)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test(arguments: [SIGQUIT, SIGINT, SIGTERM]) func `a signal that asks for the end drains`(signal: Int32)
        async throws
    {
        try await withStage(["--delay", "1500"]) { stage in
            try await stage.run(Load.connect(1))
            let worker = try stage.work()
            try await eventually("the call") { try stage.simulator.traffic(of: "connect")["most_in_flight"] == 1 }
            worker.signal(signal)
            #expect(try await worker.ended().exitCode == 0)
            #expect(try await stage.count("state = 'completed'") == 1)
        }
    }
}
