-- The statements that the service sends for a code created, activated and deleted, in their order and
-- transactions. `statements.py` prints them. Owners are found by address, not by id and session; only ids, times
-- and the code are made here, and one session of an owner is enough. The owners are those of `parts/codes.py`, other ones for each client.
\set owner 50000 + :client_id + 16 * random(0, 5)
\set code random(1, 9000000000000000000)
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
LIMIT 1 FOR NO KEY UPDATE OF users, sessions \gset owner_
WITH changed AS (
  INSERT INTO referral_codes (owner_id, program_id, code, key, key_mac, kind, expires_at, activated_at, retired_at, retired_reason, deleted_at,
            max_uses, uses, discoverable, id, created_at)
  SELECT :owner_id::uuid, '00000000-0000-7000-8000-000000000001'::uuid, :code::bigint::text, :code::bigint::text, sha256(:code::bigint::text::bytea), 'chosen',
         now() + interval '7 days', NULL, NULL, NULL, NULL, NULL, 0, true, uuidv7(), clock_timestamp()
  WHERE NOT EXISTS (SELECT id FROM referral_codes WHERE owner_id = :owner_id::uuid LIMIT 1 OFFSET 9999)
  ON CONFLICT DO NOTHING RETURNING id),
recorded AS (
  INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                            details, id, created_at)
  SELECT 'code.created', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', changed.id, NULL,
         '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp() FROM changed)
SELECT changed.id FROM changed;
SELECT cache_epoch.id FROM cache_epoch;
COMMIT;
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
FOR NO KEY UPDATE OF users, sessions;
WITH changed AS (
  UPDATE referral_codes SET activated_at = clock_timestamp()
  WHERE owner_id = :owner_id::uuid AND key = :code::bigint::text AND deleted_at IS NULL
  AND coalesce(retired_reason, '') != 'erased'
  AND retired_at IS NULL AND expires_at > now() AND activated_at IS NULL
  AND NOT EXISTS (SELECT others.id FROM referral_codes AS others WHERE others.owner_id = :owner_id::uuid
                  AND others.program_id = referral_codes.program_id AND others.activated_at IS NOT NULL AND others.retired_at IS NULL)
  RETURNING owner_id, program_id, code, key, key_mac, kind, expires_at, activated_at, retired_at, retired_reason, deleted_at,
            max_uses, uses, discoverable, id, created_at),
recorded AS (
  INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                            details, id, created_at)
  SELECT 'code.activated', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', changed.id, NULL,
         '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp() FROM changed)
SELECT * FROM changed;
COMMIT;
BEGIN;
SELECT users.email, users.email_key, users.email_canonical, users.password_hash, users.first_name,
       users.last_name, users.status, users.is_admin, users.language, users.verified_at, users.erased_at,
       users.id, users.created_at
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE users.email_key = 'person' || :owner || '@example.org' AND users.status = 'active'
AND sessions.revoked_at IS NULL AND sessions.expires_at > now() AND sessions.idle_expires_at > now()
FOR NO KEY UPDATE OF users, sessions;
WITH changed AS (
  UPDATE referral_codes SET retired_at = coalesce(retired_at, clock_timestamp()),
         retired_reason = coalesce(retired_reason, 'deleted'), deleted_at = clock_timestamp()
  WHERE owner_id = :owner_id::uuid AND key = :code::bigint::text AND deleted_at IS NULL
  AND coalesce(retired_reason, '') != 'erased'
  RETURNING id, key),
recorded AS (
  INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                            details, id, created_at)
  SELECT 'code.deleted', 'user', :owner_id::uuid, :owner_id::uuid, 'referral_code', changed.id, NULL,
         '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp() FROM changed)
SELECT changed.id, changed.key FROM changed;
COMMIT;
