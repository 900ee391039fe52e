-- The statements that the service sends for a code created, activated and deleted, in their order and
-- transactions. `statements.py` prints them. Owners are found by address, not by id and session; only ids, times
-- and the code are made here.
\set owner 50000 + :client_id + 16 * random(0, 5)
\set code random(1, 9000000000000000000)
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
FOR NO KEY UPDATE OF users, sessions \gset owner_
SELECT cache_epoch.id FROM cache_epoch;
SELECT referral_codes.id FROM referral_codes WHERE referral_codes.owner_id = :owner_id::uuid LIMIT 1 OFFSET 9999;
INSERT INTO referral_codes (owner_id, code, key, key_mac, kind, expires_at, activated_at, retired_at,
                            retired_reason, deleted_at, max_uses, uses, discoverable, id, created_at)
VALUES (:owner_id::uuid, :code::bigint::text, :code::bigint::text, sha256(:code::bigint::text::bytea), 'chosen',
        now() + interval '7 days', NULL, NULL, NULL, NULL, NULL, 0, true, uuidv7(), clock_timestamp())
ON CONFLICT DO NOTHING RETURNING referral_codes.id \gset code_
INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                          details, id, created_at)
VALUES ('code.created', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', :code_id::uuid, NULL,
        '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp());
COMMIT;
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
FOR NO KEY UPDATE OF users, sessions;
SELECT * FROM referral_codes
WHERE referral_codes.owner_id = :owner_id::uuid AND referral_codes.key = :code::bigint::text
AND referral_codes.deleted_at IS NULL AND coalesce(referral_codes.retired_reason, '') != 'erased' FOR UPDATE;
SELECT * FROM referral_codes
WHERE referral_codes.owner_id = :owner_id::uuid AND activated_at IS NOT NULL AND retired_at IS NULL FOR UPDATE;
UPDATE referral_codes SET activated_at = clock_timestamp() WHERE referral_codes.id = :code_id::uuid;
INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                          details, id, created_at)
VALUES ('code.activated', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', :code_id::uuid, NULL,
        '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp());
COMMIT;
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
FOR NO KEY UPDATE OF users, sessions;
SELECT * FROM referral_codes
WHERE referral_codes.owner_id = :owner_id::uuid AND referral_codes.key = :code::bigint::text
AND referral_codes.deleted_at IS NULL AND coalesce(referral_codes.retired_reason, '') != 'erased' FOR UPDATE;
UPDATE referral_codes SET retired_at = clock_timestamp(), retired_reason = 'deleted', deleted_at = clock_timestamp()
WHERE referral_codes.id = :code_id::uuid;
INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                          details, id, created_at)
VALUES ('code.deleted', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', :code_id::uuid, NULL,
        '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp());
COMMIT;
