/// Where a worker stands with its attempt. It may rest in any of these for as long as it likes: a stall and the
/// end of one are not events, only the absence of the next.
enum WorkerPhase: UInt8, Hashable {
    /// Has no claim.
    case idle
    /// Holds a claim and has done nothing for it.
    case claimed
    /// Wrote its mark, where there is one to write.
    case marked
    /// Has written all of its request but the last piece, without which the request has no effect.
    case sending
    /// Past the lease check for its last piece: whatever happens to the lease now, its create is on its way,
    /// be it held up in this process or at the provider. No answer yet.
    case sent
    /// Knows how the attempt ended and has not written it.
    case answered
    /// Its process is gone and its claim is not yet taken over.
    case dead
}
