-- The simulator does nothing later than it answers: a lost answer need not be waited for for two minutes.
UPDATE onboarding.providers SET effect_horizon = '5 s';

-- 220 jobs over all five kinds, as callers would put them in.

-- A chain: the identification runs when the customer is there, under the id that the provider gave it.
WITH customers AS (
    SELECT i, onboarding.enqueue('iron.customer.create',
        jsonb_build_object('customer_type', 'Person', 'name', 'Ada ' || i, 'email', 'ada' || i || '@example.com',
            'external_id', 'user-' || i),
        reference => 'user-' || i, unique_key => 'user-' || i) AS id
    FROM generate_series(1, 50) AS i
)
SELECT count(onboarding.enqueue('iron.identification.create', '{"type": "Direct"}',
    reference => 'user-' || i, after_job_id => id)) AS identifications
FROM customers;

INSERT INTO onboarding.jobs (kind, payload, reference)
SELECT 'connect.individual.create', jsonb_build_object('email', 'ada' || i || '@example.com',
    'basicData', jsonb_build_object('firstName', 'Ada', 'lastName', 'Test ' || i, 'gender', 'F'),
    'taxInformation', jsonb_build_object('taxNumber', 'TAX-' || i, 'type', 'TAX_CODE', 'country', 'DE'),
    'identification', jsonb_build_object('code', 'ID-' || i, 'country', 'DE'),
    'mainAddress', jsonb_build_object('street', 'Road 1', 'city', 'Berlin', 'zipCode', '10115', 'country', 'DE')),
    'user-' || i
FROM generate_series(1, 40) AS i;

INSERT INTO onboarding.jobs (kind, payload, reference)
SELECT 'axisfi.customer.create', jsonb_build_object('partner_customer_id', 'demo-partner-' || lpad(i::text, 10, '0'),
    'business_details', jsonb_build_object('business_name_english', 'Test Ltd ' || i, 'business_identifier_country_code', 'US'),
    'registration_address', jsonb_build_object('registration_address_city', 'Town', 'registration_address_country_code', 'US')),
    'company-' || i
FROM generate_series(1, 40) AS i;

INSERT INTO onboarding.jobs (kind, payload, reference)
SELECT 'juicyway.customer.create', jsonb_build_object('first_name', 'Ada', 'last_name', 'Test',
    'email', 'ada' || i || '@example.com', 'phone', '+2348000000000', 'type', 'individual',
    'billing_address', jsonb_build_object('line1', 'Road 1', 'city', 'Lagos', 'state', 'Lagos', 'zip_code', '100001', 'country', 'NG')),
    'user-' || i
FROM generate_series(1, 37) AS i;

-- Breaks its contract deep inside, where INSERT does not look: nothing is sent, and what waits for it is cancelled.
WITH broken AS (
    SELECT onboarding.enqueue('axisfi.customer.create', '{"partner_customer_id": "demo-partner-broken000", "business_details": {},
        "registration_address": {}, "primary_contact": {"contact_email": "nobody"}}', reference => 'broken') AS id
)
SELECT onboarding.enqueue('iron.customer.create', '{"customer_type": "Person", "email": "nobody@example.com"}',
    reference => 'broken', after_job_id => id) AS waits
FROM broken;

-- Refused by the provider: a customer that it does not know.
SELECT onboarding.enqueue('iron.identification.create', '{"type": "Direct"}', reference => 'refused',
    parameters => '{"customer_id": "00000000-0000-0000-0000-000000000000"}') AS refused;
