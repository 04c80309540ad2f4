/// The provider: its ledger of effects, its memory of keys, and what is on its way to it from nobody who waits.
struct ProviderState: Hashable {
    /// Records created for the job; two stands for more.
    var effects: UInt8
    /// Keys that it remembers to have applied, a bit each.
    var remembered: UInt8 = 0
    /// The present key's memory is as old as the key's life.
    var memoryIsOld = false
    /// Keys under which requests are on their way whose senders died or gave up, a bit each. One stands for
    /// more: what several could do beside each other, one does beside a worker's.
    private var strayKeys: UInt8 = 0

    var hasStrays: Bool { strayKeys != 0 }

    init(effects: UInt8 = 0) {
        self.effects = effects
    }

    func hasStray(under key: UInt8) -> Bool { strayKeys & 1 << key != 0 }
    func remembers(_ key: UInt8) -> Bool { remembered & 1 << key != 0 }

    /// The keys are numbered anew, without the first.
    mutating func dropOldestKey() {
        remembered >>= 1
        strayKeys >>= 1
    }

    /// Drops what is remembered of keys that nothing will be sent under again.
    mutating func forgetKeys(where isDone: (UInt8) -> Bool) {
        for key in 0..<UInt8(8) where remembered & 1 << key != 0 && isDone(key) {
            remembered &= ~(1 << key)
        }
        if remembered == 0 { memoryIsOld = false }
    }

    mutating func addStray(under key: UInt8) {
        strayKeys |= 1 << key
    }

    mutating func removeStray(under key: UInt8) {
        strayKeys &= ~(1 << key)
    }
}
