import JobModel
import NIOConcurrencyHelpers

/// Providers whose claims wait until a call in flight ends, for the limit of those is reached. Each end that is written lets them
/// look again; the limit is not polled.
struct LimitWaits: Sendable {
    private struct State {
        /// How many ends were written.
        var ends: [ProviderName: Int] = [:]
        var waiting: Set<ProviderName> = []
        var hasRoom: Set<ProviderName> = []
    }

    private let state = NIOLockedValueBox(State())
    private let bells: ClaimBells

    init(bells: ClaimBells) {
        self.bells = bells
    }

    /// What to hand to ``wait(for:since:)``; taken before the claim.
    func ends(of provider: ProviderName) -> Int {
        state.withLockedValue { $0.ends[provider] ?? 0 }
    }

    /// The claim was refused. An end since `ends` may have come too late for it.
    func wait(for provider: ProviderName, since ends: Int) {
        state.withLockedValue { state in
            if state.ends[provider] ?? 0 == ends {
                _ = state.waiting.insert(provider)
            } else {
                _ = state.hasRoom.insert(provider)
            }
        }
    }

    /// An end was written.
    func endWritten(of provider: ProviderName) {
        let isAwaited = state.withLockedValue { state in
            state.ends[provider, default: 0] += 1
            guard state.waiting.remove(provider) != nil else { return false }
            state.hasRoom.insert(provider)
            return true
        }
        if isAwaited { bells.ring(provider) }
    }

    /// Whether there may be room since a claim was refused; asked once.
    func roomCame(to provider: ProviderName) -> Bool {
        state.withLockedValue { $0.hasRoom.remove(provider) != nil }
    }
}
