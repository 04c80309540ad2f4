/// What an attempt does (`AttemptPlan` of the code).
enum AttemptPlan: UInt8, Hashable {
    case create, lookUp, adopt, giveUp
}
