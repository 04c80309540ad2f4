/// Requests that take effect some time after they came, whether or not their clients are still there.
///
/// They are tasks of the server's own: the task of a request ends with its connection.
struct LateRequests: Sendable {
    private struct LateRequest: Sendable {
        let wait: Duration
        let takeEffect: @Sendable () -> SimulatedWorld.Outcome
        let answer: AsyncStream<SimulatedWorld.Outcome>.Continuation
    }

    private let requests: AsyncStream<LateRequest>
    private let arrivals: AsyncStream<LateRequest>.Continuation
    private let clock = ContinuousClock()

    init() {
        // Bounded by the requests under the fault that come within its time.
        (requests, arrivals) = AsyncStream.makeStream()
    }

    /// Lets every request take effect at its time, until cancelled; then the rest never does.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await request in requests {
                group.addTask(name: "late-request") {
                    // Cancelled: the server is gone, and the request with it.
                    guard (try? await Task.sleep(for: request.wait, clock: clock)) != nil else { return }
                    request.answer.yield(request.takeEffect())
                    request.answer.finish()
                }
            }
        }
    }

    /// What `takeEffect` answers after `wait`. When the caller is cancelled it throws, and the effect comes all the same.
    func outcome(
        after wait: Duration, _ takeEffect: @escaping @Sendable () -> SimulatedWorld.Outcome
    ) async throws -> SimulatedWorld.Outcome {
        let (outcomes, answer) = AsyncStream<SimulatedWorld.Outcome>.makeStream()
        arrivals.yield(LateRequest(wait: wait, takeEffect: takeEffect, answer: answer))
        for await outcome in outcomes { return outcome }
        throw CancellationError()
    }
}
