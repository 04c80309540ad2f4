/// What the next claim of a job does (`jobs.step`).
package enum CallStep: UInt8, Hashable {
    case create, lookUp
}
