/// The job that everything here enqueues, sends or answers: a customer at Juicyway, which needs one call and no look-up.
enum BenchJob {
    static let kind = "juicyway.customer.create"

    /// The payload as PostgreSQL prints it, so that the client alone sends the very bytes that the worker sends.
    static func payload(_ number: Int) -> String {
        """
        {"type": "individual", "email": "bench\(number)@example.com", "phone": "+2348000000000", \
        "last_name": "Bench", "first_name": "Ada", "billing_address": {"city": "Lagos", "line1": "Road 1", \
        "state": "Lagos", "country": "NG", "zip_code": "100001"}}
        """
    }

    /// The settings of the environment that say where the queue is; as the daemon reads them.
    static let databaseVariable = "ONBOARD_DATABASE_URL"
}
