/// One step of somebody.
enum Event: Hashable {
    case claim(WorkerName, AttemptPlan)
    case mark(WorkerName), markRefused(WorkerName)
    case send(WorkerName), beginBody(WorkerName), leaseCheckFails(WorkerName), connectFails(WorkerName)
    case answer(WorkerName, Answer), timeout(WorkerName)
    case lookUp(WorkerName, LookUpAnswer)
    case complete(WorkerName, RowState), completeLate(WorkerName)
    case crash(WorkerName), leasePasses(WorkerName)
    case takeOver
    case strayLands(UInt8), strayIsLost(UInt8)
    case horizonPasses, lifePasses, keyForgotten
    case cancel(RowState), expire(RowState)
    case resolveHappened, resolveDidNotHappen(RowState)
    case retry(corrected: Bool)

    /// Whether a world without faults and operators takes this step, sooner or later. A process that is gone
    /// does not renew its lease: that it ends is time, not a fault.
    func isHealthy(in state: ModelState) -> Bool {
        switch self {
        case .claim, .mark, .markRefused, .send, .beginBody, .leaseCheckFails, .complete, .completeLate: true
        case .takeOver, .strayLands, .strayIsLost, .horizonPasses: true
        case .answer(_, let answer): answer == .created || answer == .refused
        case .lookUp(_, let answer): answer == .found || answer == .notFound
        case .leasePasses(let name): state[name].phase == .dead
        case .connectFails, .timeout, .crash, .lifePasses, .keyForgotten: false
        case .cancel, .expire, .resolveHappened, .resolveDidNotHappen, .retry: false
        }
    }
}
