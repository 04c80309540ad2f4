/// `jobs.last_create_status`: what answered the last create under the present key, as far as it is asked for.
enum CreateStatus: UInt8, Hashable {
    /// Nothing, or nothing of these.
    case other
    /// 409.
    case conflict
    /// 500: the provider may repeat it for this key for ever.
    case error
}
