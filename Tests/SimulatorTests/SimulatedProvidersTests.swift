import Simulator
import Testing

@Suite struct SimulatedProvidersTests {
    private let key = "6f1c2f0e-56a3-4d0c-9d0b-0a3f6f0f7a11"

    private func send(
        _ providers: inout SimulatedProviders, _ path: String, _ body: String, key: String? = nil,
        auth: String = "sandbox",
        method: String = "POST",
    ) -> SimulatedProviders.Answer {
        var headers = [
            "content-type": "application/json", "x-api-key": auth, "x-api-secret": auth, "authorization": auth,
        ]
        headers["idempotency-key"] = key
        let id = "00000000-0000-4000-8000-00000000000\(providers.ledger.count)"
        return providers.answer(
            method: method, path: path, headers: headers, body: Array(body.utf8), id: id, at: "2026-01-01T00:00:00Z")
    }

    @Test func `each of the five endpoints creates one effect`() {
        var it = SimulatedProviders()
        let iron = #"{"customer_type":"Person","email":"a@example.org","external_id":"x1"}"#
        #expect(send(&it, "/iron/api/customers", iron, key: key).status == 201)
        let ident = "/iron/api/customers/00000000-0000-4000-8000-000000000000/identifications"
        #expect(send(&it, ident, #"{"type":"Direct"}"#, key: key).status == 201)
        #expect(send(&it, "/connect/customers/individual", "{}").status == 201)
        let partner = #"{"partner_customer_id":"abcdefghijklmnopqrstu"}"#
        #expect(send(&it, "/axisfi/api/customers/create", partner).status == 200)
        #expect(send(&it, "/juicyway/customers", #"{"email":"a@example.org"}"#).status == 201)
        #expect(it.ledger.count == 5)
        #expect(send(&it, "/iron/api/customers/x1/external", "", method: "GET").status == 200)
        #expect(send(&it, ident, #"{"type":"Direct"}"#, key: "0" + key.dropFirst()).status == 409)
        #expect(send(&it, "/axisfi/api/customers/create", partner).status == 409)
        #expect(send(&it, "/juicyway/customers", #"{"email":"a@example.org"}"#).status == 409)
        #expect(it.ledger.count == 5)
    }

    @Test func `a key is replayed for the same body and refused for another`() {
        var it = SimulatedProviders()
        let first = send(&it, "/juicyway/customers", #"{"email":"a@example.org"}"#, key: key)
        #expect(send(&it, "/juicyway/customers", #"{"email":"a@example.org"}"#, key: key) == first)
        #expect(send(&it, "/juicyway/customers", #"{"email":"b@example.org"}"#, key: key).status == 422)
        #expect(it.ledger.count == 1)
    }

    @Test func `a wrong credential and a missing key are refused`() {
        var it = SimulatedProviders()
        #expect(send(&it, "/iron/api/customers", "{}", key: key, auth: "x").status == 401)
        #expect(send(&it, "/iron/api/customers", "{}").status == 400)
        #expect(it.ledger.isEmpty)
    }
}
