/// The provider: its ledger of effects, its memory of keys, and what is on its way to it from nobody who waits.
struct ProviderState: Hashable {
    /// What it thinks of the present body.
    enum Opinion: UInt8, Hashable {
        case none, accepts, refuses
    }

    /// Records created for the job; two stands for more.
    var effects: UInt8
    /// Keys that it remembers to have applied, a bit each.
    var remembered: UInt8 = 0
    /// The present key's memory is as old as the key's life.
    var memoryIsOld = false
    var opinion: Opinion = .none
    /// Keys of bodies that it refuses and that were corrected since, a bit each.
    var refusedKeys: UInt8 = 0
    /// Keys under which requests are on their way whose senders died or gave up, a bit each. One stands for
    /// more: what several could do beside each other, one does beside a worker's.
    private var strayKeys: UInt8 = 0

    var hasStrays: Bool { strayKeys != 0 }

    init(effects: UInt8 = 0) {
        self.effects = effects
    }

    func hasStray(under key: UInt8) -> Bool { strayKeys & 1 << key != 0 }
    func remembers(_ key: UInt8) -> Bool { remembered & 1 << key != 0 }
    func refuses(_ key: UInt8) -> Bool { refusedKeys & 1 << key != 0 }

    /// The keys are numbered anew, without the first.
    mutating func dropOldestKey() {
        remembered >>= 1
        refusedKeys >>= 1
        strayKeys >>= 1
    }

    /// Drops what is remembered of keys that nothing will be sent under again.
    mutating func forgetKeys(where isDone: (UInt8) -> Bool) {
        for key in 0..<UInt8(8) where (remembered | refusedKeys) & 1 << key != 0 && isDone(key) {
            remembered &= ~(1 << key)
            refusedKeys &= ~(1 << key)
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
