import JobModel

/// What the ends of attempts tell of their provider, each change once: refused credentials, a hold, no connection, and the
/// recovery.
struct ProviderNews {
    /// A state in which calls are of no use.
    enum Trouble: String, Hashable {
        case circuitOpen
        case unreachable

        /// What is logged when it begins and when it is over.
        var messages: (begin: String, end: String) {
            switch self {
            case .circuitOpen: ("a provider's circuit opened", "a provider's circuit closed")
            case .unreachable: ("a provider cannot be reached", "a provider is reached again")
            }
        }
    }

    /// One thing to log.
    struct Item: Equatable {
        let message: String
        let isTrouble: Bool
    }

    private var troubles: [ProviderName: Set<Trouble>] = [:]

    /// An attempt ended; returns what is new.
    mutating func ended(_ result: CallResult, _ decision: Decision, of provider: ProviderName) -> [Item] {
        var items: [Item] = []
        var now = troubles[provider] ?? []
        let hasAnswered = result.httpStatus != nil
        if decision.opensCircuit {
            if now.insert(.circuitOpen).inserted {
                items.append(Item(message: Trouble.circuitOpen.messages.begin, isTrouble: true))
            }
        } else if hasAnswered, result.outcome != .unauthorized, now.remove(.circuitOpen) != nil {
            items.append(Item(message: Trouble.circuitOpen.messages.end, isTrouble: false))
        }
        if !hasAnswered, result.error?.hasPrefix("no connection") == true {
            if now.insert(.unreachable).inserted {
                items.append(Item(message: Trouble.unreachable.messages.begin, isTrouble: true))
            }
        } else if hasAnswered, now.remove(.unreachable) != nil {
            items.append(Item(message: Trouble.unreachable.messages.end, isTrouble: false))
        }
        if decision.providerHold != nil {
            items.append(Item(message: "a provider throttles its calls and is held", isTrouble: true))
        }
        troubles[provider] = now
        return items
    }
}
