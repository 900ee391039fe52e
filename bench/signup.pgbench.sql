-- The statements that the service sends for a sign-up with a code, in its order and transaction. `statements.py`
-- prints them. Only ids and times are made here.
\set person random(2, :codes - 1)
\set number (:person * 173205080757) & 1099511627775
\set joiner random(1, 9000000000000000000)
SELECT users.id FROM users WHERE users.email_key = 'joiner' || :joiner::bigint || '@example.org';
SELECT referral_codes.code, referral_codes.expires_at, referral_codes.activated_at, referral_codes.program_id,
       users.first_name, users.last_name, programs.status, programs.starts_at, programs.ends_at
FROM referral_codes JOIN users ON users.id = referral_codes.owner_id
JOIN programs ON programs.id = referral_codes.program_id
WHERE users.status = 'active' AND referral_codes.activated_at IS NOT NULL AND referral_codes.retired_at IS NULL
AND referral_codes.expires_at > now()
AND (referral_codes.max_uses IS NULL OR referral_codes.uses < referral_codes.max_uses)
AND referral_codes.key = upper(lpad(to_hex(:number::bigint), 10, '0'));
BEGIN;
SELECT users.id, users.status, users.email_key, users.email_canonical, users.verified_at, users.reported_email,
       users.external_id, users.first_name, users.last_name, referral_codes.program_id
FROM users JOIN referral_codes ON referral_codes.owner_id = users.id
WHERE referral_codes.key = upper(lpad(to_hex(:number::bigint), 10, '0'))
FOR NO KEY UPDATE OF users \gset owner_
UPDATE referral_codes SET uses = referral_codes.uses + 1
WHERE referral_codes.key = upper(lpad(to_hex(:number::bigint), 10, '0'))
AND referral_codes.activated_at IS NOT NULL AND referral_codes.retired_at IS NULL
AND referral_codes.expires_at > now()
AND (referral_codes.max_uses IS NULL OR referral_codes.uses < referral_codes.max_uses)
AND referral_codes.program_id IN (
  SELECT programs.id FROM programs WHERE programs.status = 'active'
  AND (programs.starts_at IS NULL OR programs.starts_at <= now()) AND (programs.ends_at IS NULL OR programs.ends_at > now()))
RETURNING referral_codes.id, referral_codes.program_id, referral_codes.expires_at, referral_codes.uses,
          referral_codes.max_uses \gset code_
INSERT INTO users (external_id, program_id, reported_email, reported_email_key, signed_up_at, email, email_key, email_canonical, password_hash, first_name, last_name, status, is_admin,
                   language, verified_at, erased_at, id, created_at)
VALUES (NULL, NULL, NULL, NULL, NULL, 'joiner' || :joiner::bigint || '@example.org', 'joiner' || :joiner::bigint || '@example.org',
        'joiner' || :joiner::bigint || '@example.org',
        '$argon2id$v=19$m=8,t=1,p=1$pgNC9iw3Y5kzjKTZAqa9ig$1XppzXRTtMt4Yie3iaHV7jAG/PJGAoMlpB99DveBHxM',
        'Joiner', NULL, 'active', false, 'en', NULL, NULL, uuidv7(), clock_timestamp())
ON CONFLICT DO NOTHING RETURNING users.id \gset referee_
WITH row_0 AS (
  INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                            details, id, created_at)
  VALUES ('account.created', 'user', :referee_id::uuid, :referee_id::uuid, 'user', :referee_id::uuid,
          NULL, '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp())),
row_1 AS (
  INSERT INTO referrals (referrer_id, referee_id, code_id, program_id, attributed_by, touch_id, status, reason,
                         confirmed_at, id, created_at)
  VALUES (:owner_id::uuid, :referee_id::uuid, :code_id::uuid, :code_program_id::uuid, 'code', uuidv7(), 'confirmed', NULL, clock_timestamp(), uuidv7(),
          clock_timestamp())),
row_2 AS (
  INSERT INTO audit_events (action, actor, actor_id, person_id, subject, subject_id, client, request_id, address,
                            details, id, created_at)
  VALUES ('code.redeemed', 'user', :referee_id::uuid, :owner_id::uuid, 'referral_code', :code_id::uuid,
          NULL, '3f1c2d4e5f60718293a4b5c6d7e8f901', '10.11.12.1', '{}', uuidv7(), clock_timestamp())),
row_3 AS (
  INSERT INTO jobs (kind, payload, user_id, slot, run_at, attempts, leased_until, leased_by, finished_at, outcome, error, id,
                  created_at)
  VALUES ('verify_email', '{}', :referee_id::uuid, NULL,
          clock_timestamp(), 0, NULL, NULL, NULL, NULL, NULL, uuidv7(), clock_timestamp()))
INSERT INTO jobs (kind, payload, user_id, slot, run_at, attempts, leased_until, leased_by, finished_at, outcome, error, id,
                  created_at)
VALUES ('friend_joined', '{}', :owner_id::uuid, NULL,
        clock_timestamp(), 0, NULL, NULL, NULL, NULL, NULL, uuidv7(), clock_timestamp());
COMMIT;
