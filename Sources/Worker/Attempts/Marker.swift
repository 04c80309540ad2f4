import JobModel
import JobQueue
import NIOConcurrencyHelpers

/// Writes the mark "may have been sent" for many attempts at a time, each before its request is sent.
///
/// While one write is under way the next marks gather, so that a fleet of calls costs few commits.
final class Marker: Sendable {
    private struct State {
        var waiting: [(claim: Claim, worker: WorkerID, continuation: CheckedContinuation<Bool, Never>)] = []
        var isClosed = false
    }

    private let queue: Queue
    private let state = NIOLockedValueBox(State())
    private let bell = Bell()

    init(queue: Queue) {
        self.queue = queue
    }

    /// Whether the mark is written and the job still the worker's; only then may it be sent.
    func mark(_ claim: Claim, by worker: WorkerID) async -> Bool {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLockedValue { state in
                if !state.isClosed { state.waiting.append((claim, worker, continuation)) }
                return state.isClosed
            }
            if isClosed { continuation.resume(returning: false) } else { bell.ring() }
        }
    }

    /// Writes until cancelled; marks that wait or come then are refused.
    func run() async {
        while !Task.isCancelled {
            let batch = state.withLockedValue { state in
                defer { state.waiting = [] }
                return state.waiting
            }
            if batch.isEmpty {
                await bell.wait(atMost: .seconds(1), clock: .continuous)
                continue
            }
            for (worker, marks) in Dictionary(grouping: batch, by: \.worker) {
                // Without a mark nothing is sent: the attempts end as not sent and come again.
                let marked = (try? await queue.markSent(marks.map(\.claim), by: worker)) ?? []
                for mark in marks { mark.continuation.resume(returning: marked.contains(mark.claim.id)) }
            }
        }
        let rest = state.withLockedValue { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for mark in rest { mark.continuation.resume(returning: false) }
    }
}
