/// SQL that enqueues many jobs of all kinds, as callers would.
enum Load {
    /// `count` jobs of each of the five kinds; the identifications follow the Iron customers.
    static func allKinds(_ count: Int, prefix: String = "p") -> String {
        """
        INSERT INTO onboarding.jobs (kind, payload, reference)
        SELECT 'iron.customer.create', jsonb_build_object('customer_type', 'Person', 'name', 'Ada Test',
            'email', '\(prefix)' || i || '@example.com', 'external_id', '\(prefix)-' || i), '\(prefix)-' || i
        FROM generate_series(1, \(count)) i;
        INSERT INTO onboarding.jobs (kind, payload, reference, after_job_id)
        SELECT 'iron.identification.create', '{"type": "Direct"}', reference, id
        FROM onboarding.jobs WHERE kind = 'iron.customer.create' AND reference LIKE '\(prefix)-%';
        \(connect(count, prefix: prefix))
        \(axisfi(count, prefix: prefix))
        \(juicyway(count, prefix: prefix))
        """
    }

    static func connect(_ count: Int, prefix: String = "p") -> String {
        """
        INSERT INTO onboarding.jobs (kind, payload, reference)
        SELECT 'connect.individual.create', jsonb_build_object('email', '\(prefix)' || i || '@example.com',
            'basicData', jsonb_build_object('firstName', 'Ada', 'lastName', 'Test', 'gender', 'F'),
            'taxInformation', jsonb_build_object('taxNumber', 'TAX-' || i, 'type', 'TAX_CODE', 'country', 'DE'),
            'identification', jsonb_build_object('code', 'ID-' || i, 'country', 'DE'),
            'mainAddress', jsonb_build_object('street', 'Road 1', 'city', 'Berlin', 'zipCode', '10115', 'country', 'DE')),
            '\(prefix)-' || i
        FROM generate_series(1, \(count)) i;
        """
    }

    static func axisfi(_ count: Int, prefix: String = "p") -> String {
        """
        INSERT INTO onboarding.jobs (kind, payload, reference)
        SELECT 'axisfi.customer.create', jsonb_build_object('partner_customer_id', '\(prefix)-partner-customer-' || lpad(i::text, 8, '0'),
            'business_details', jsonb_build_object('business_name_english', 'Test Ltd', 'website', 'https://www.example.com',
                'business_identifier_number', 'B' || i, 'business_identifier_country_code', 'US',
                'business_identifier_document_list', jsonb_build_array('file-1')),
            'registration_address', jsonb_build_object('registration_address_line1', 'Road 1',
                'registration_address_city', 'Town', 'registration_address_state', 'NY',
                'registration_address_postcode', '10001', 'registration_address_country_code', 'US')),
            '\(prefix)-' || i
        FROM generate_series(1, \(count)) i;
        """
    }

    static func juicyway(_ count: Int, prefix: String = "p") -> String {
        """
        INSERT INTO onboarding.jobs (kind, payload, reference)
        SELECT 'juicyway.customer.create', jsonb_build_object('first_name', 'Ada', 'last_name', 'Test',
            'email', '\(prefix)' || i || '@example.com', 'phone', '+2348000000000', 'type', 'individual',
            'billing_address', jsonb_build_object('line1', 'Road 1', 'city', 'Lagos', 'state', 'Lagos',
                'zip_code', '100001', 'country', 'NG')),
            '\(prefix)-' || i
        FROM generate_series(1, \(count)) i;
        """
    }
}
