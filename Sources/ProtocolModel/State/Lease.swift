/// The lease of the name under which a worker made its claim. It only ever ends: renewals keep it `trusted`.
///
/// The margin between the worker's clock and the database's is the premise of there being two cases: the worker
/// stops trusting its lease before any other may take its jobs. The time between the two is a lease that has
/// `passed` and whose job nobody has taken over yet.
enum Lease: UInt8, Hashable {
    /// The worker starts calls.
    case trusted
    /// The worker starts no call any more, and its jobs may be taken over.
    case passed
}
