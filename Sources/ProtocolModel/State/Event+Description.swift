extension Event: CustomStringConvertible {
    var description: String {
        switch self {
        case .claim(let name, let plan): "\(name.rawValue) claims the job, to \(plan)"
        case .mark(let name): "\(name.rawValue) writes its mark"
        case .markRefused(let name): "\(name.rawValue)'s mark is refused: it is fenced out"
        case .beginBody(let name): "\(name.rawValue) sends all of the create but its last piece"
        case .leaseCheckFails(let name): "\(name.rawValue) finds its lease in doubt and sends nothing"
        case .send(let name): "\(name.rawValue) finds its lease good and sends the create"
        case .connectFails(let name): "\(name.rawValue) gets no connection"
        case .answer(let name, let answer): "the provider takes \(name.rawValue)'s create: \(answer.rawValue)"
        case .timeout(let name): "\(name.rawValue) gives up waiting; its create is still on its way"
        case .lookUp(let name, let answer): "\(name.rawValue) looks up: \(answer.rawValue)"
        case .complete(let name, let state): "\(name.rawValue) writes its end: \(state.rawValue)"
        case .completeLate(let name): "\(name.rawValue) writes its end, too late"
        case .crash(let name): "\(name.rawValue) dies"
        case .leasePasses(let name): "\(name.rawValue)'s lease ends"
        case .takeOver: "the reaper takes over"
        case .strayLands(let key): "a stray create under key \(key) lands"
        case .strayIsLost(let key): "a stray create under key \(key) is lost"
        case .horizonPasses: "the effect horizon passes"
        case .lifePasses: "the key's life passes"
        case .keyForgotten: "the provider forgets the key"
        case .cancel(let state): "the operator cancels: \(state.rawValue)"
        case .expire(let state): "expires_at passes: \(state.rawValue)"
        case .resolveHappened: "the operator says: it happened"
        case .resolveDidNotHappen(let state): "the operator says: it did not happen: \(state.rawValue)"
        case .retry(let corrected): "the operator retries\(corrected ? " with a corrected body" : "")"
        }
    }
}
