/// What the next claim of a job does. One claim makes one provider call, so that limits on calls
/// can be kept by limiting claims.
package enum Step: String, Sendable {
    /// Sends the request that creates the record.
    case create
    /// Asks the provider whether an earlier request created the record.
    case lookUp = "look_up"
}
