import Contracts
import JobModel
import SeededRandom

/// Payloads of all kinds that keep their contracts, and ways to break them.
enum Payloads {
    static let valid: [(kind: String, text: String)] = [
        (
            "iron.customer.create",
            #"{"customer_type": "Person", "email": "ada@example.com", "external_id": "u-1", "name": "Ada"}"#
        ),
        ("iron.customer.create", #"{"customer_type": "Business", "email": "x@y", "more": {"deep": [1, 2.5, null]}}"#),
        ("iron.identification.create", #"{"type": "Direct"}"#),
        ("iron.identification.create", #"{"type": "Link", "with_edd": true}"#),
        ("iron.identification.create", #"{"type": "OutsourcedPerson", "first_name": 7}"#),
        ("iron.identification.create", #"{"type": "Token", "token": "t", "intended_use": "Trading"}"#),
        ("iron.identification.create", person),
        (
            "connect.individual.create",
            #"{"email": "a@b.c", "phoneNumber": "+49 (30) 1-2", "phoneCountryCode": "49", "basicData": {"firstName": "Ada", "gender": "F", "nationality": "DE", "occupation": "11"}, "taxInformation": {"taxNumber": "A-1_b", "type": "TAX_CODE", "country": "US"}, "identification": {"code": "X1", "country": "FR"}, "mainAddress": {"zipCode": "10 115", "country": "DE"}, "isPep": false}"#
        ),
        (
            "axisfi.customer.create",
            #"{"partner_customer_id": "partner-0000000000001", "business_details": {"business_name_english": "X Ltd", "business_identifier_country_code": "US", "business_identifier_document_list": ["f1"]}, "registration_address": {"registration_address_country_code": "US"}, "account_usage": {"estimated_monthly_revenue_amount": 99.99}, "business_person_list": [{"basic_info": {"nationality": "US"}}]}"#
        ),
        (
            "juicyway.customer.create",
            #"{"first_name": "Zoë", "last_name": "O'Neil", "email": "z@example.com", "phone": "+2348000000000", "type": "individual", "billing_address": {"line1": "Road 1", "city": "Lagos", "state": "Lagos", "zip_code": "100001", "country": "NG"}}"#
        ),
    ]

    private static let person =
        #"{"type": "Person", "address": {"city": "B", "country": "DE", "street_1": "R 1", "zip_code": "1"}, "consent_collected_at": "2026-01-01T00:00:00Z", "date_of_birth": "1990-01-02", "email_address": "a@b.c", "first_name": "A", "full_name": "A B", "identity": {"identity_country_code": "DE", "identity_document_front": "QQ==", "identity_document_type": "Passport", "ip_address": "::1", "nationality": "DE", "selfie": "QQ==", "selfie_collected_at": "2026-01-01T00:00:00Z"}, "intended_use": "Investing", "kyc_questionnaire": {"employment_status": "Employed", "expected_monthly_transaction_count": "LessThan5", "expected_monthly_transaction_volume": "LessThan500", "source_of_wealth": "Salary", "yearly_gross_income": "LessThan20000"}, "last_name": "B", "phone_number": "+49301", "sharing_consent": true}"#

    /// `value` with one place changed at random.
    static func broken(_ value: JSONValue, using random: inout Seeded) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && Int.random(in: 0..<5, using: &random) > 0:
            guard let key = members.keys.sorted().randomElement(using: &random) else { return value }
            if Int.random(in: 0..<4, using: &random) == 0 {
                members[key] = nil
            } else {
                members[key] = members[key].map { broken($0, using: &random) }
            }
            return .object(members)
        case .array(var elements) where !elements.isEmpty && Bool.random(using: &random):
            let index = Int.random(in: elements.indices, using: &random)
            elements[index] = broken(elements[index], using: &random)
            return .array(elements)
        default:
            return oddities.randomElement(using: &random) ?? .null
        }
    }

    private static let oddities: [JSONValue] = [
        .null, .bool(true), .number("1"), .number("1.0"), .number("1e400"), .number("-0"), .number("1.5"), .string(""),
        .string(" "), .string("DE"), .string("de"), .string("DE\n"), .string("a@b"), .string("a@b@c"), .string("a b@c"),
        .string("@"),
        .string(String(repeating: "x", count: 101)), .string(String(repeating: "😀", count: 20)), .string("12345"),
        .string("1234\n"),
        .string("1990-13-99"), .string("1990-1-1"), .string("é"), .string("٣"), .array([]), .object([:]),
        .string("Person"), .string("Direct"),
        .array([.string("x")]), .string("Token"), .string("Business"), .string("+49 (0) 3"),
    ]
}
