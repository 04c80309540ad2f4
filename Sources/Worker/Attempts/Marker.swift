import JobModel
import JobQueue
import NIOConcurrencyHelpers

/// Writes the mark "may have been sent" for many attempts at a time, each before its request is sent.
///
/// While one write is under way the next marks gather, so that a fleet of calls costs few commits.
final class Marker: Sendable {
    private struct Request {
        var job: ClaimedJob
        var digest: [UInt8]?
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var waiting: [Request] = []
        var isClosed = false
    }

    private let queue: Queue
    private let state = NIOLockedValueBox(State())
    private let bell = Bell()

    init(queue: Queue) {
        self.queue = queue
    }

    /// Whether the mark is written and the claim still holds; only then may its request, of this digest, be sent.
    func mark(_ job: ClaimedJob, digest: [UInt8]?) async -> Bool {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLockedValue { state in
                if !state.isClosed {
                    state.waiting.append(Request(job: job, digest: digest, continuation: continuation))
                }
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
            for (worker, marks) in Dictionary(grouping: batch, by: \.job.worker) {
                // Without a mark nothing is sent: the attempts end as not sent and come again.
                let marked = (try? await queue.markSent(marks.map { ($0.job.claim, $0.digest) }, by: worker)) ?? []
                for mark in marks { mark.continuation.resume(returning: marked.contains(mark.job.claim.token)) }
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
