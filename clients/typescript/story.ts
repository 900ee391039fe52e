// The story of Goodword: Alice creates a code, and Bob registers with it.
import createClient from "openapi-fetch";
import type { paths, Referral } from "./schema.js";

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8000";
const password = "seven lanterns on the hill";
const goodword = createClient<paths>({ baseUrl });

// 1. Alice registers, 2. signs in, and 3. creates a code that is valid for a week.
await goodword.POST("/api/v1/users", {
  body: { email: "alice@example.com", password, first_name: "Alice", last_name: "Liddell" },
});
const signedIn = await goodword.POST("/api/v1/sessions", { body: { email: "alice@example.com", password } });
if (!signedIn.data) throw new Error(signedIn.error.detail);
const headers = { Authorization: `Bearer ${signedIn.data.access_token}` };
const alice = createClient<paths>({ baseUrl, headers });
const created = await alice.POST("/api/v1/me/referral-codes", { body: { lifetime: 604_800, code: "ALICE-2026" } });
if (!created.data) throw new Error(created.error.detail);
console.log(created.data.link);

// 4. Bob looks up the code by Alice's e-mail address, and 5. registers with it.
const query = { email: "alice@example.com" };
const found = await goodword.GET("/api/v1/referral-codes/by-email", { params: { query } });
if (!found.data) throw new Error(found.error.detail);
const bob = { email: "bob@example.com", password, first_name: "Bob", last_name: "Baker" };
await goodword.POST("/api/v1/users", { body: { ...bob, referral_code: found.data.code } });

// 6. Alice lists her referrals, from all pages.
async function* referrals(): AsyncGenerator<Referral> {
  const query: { cursor?: string | null } = {};
  do {
    const page = await alice.GET("/api/v1/me/referrals", { params: { query } });
    if (!page.data) throw new Error(page.error.detail);
    yield* page.data.items;
    query.cursor = page.data.next_cursor;
  } while (query.cursor !== null);
}
for await (const referral of referrals()) console.log(referral.referee.display_name, referral.status);

// 7. She deletes the code, and it can no longer be used.
const path = { code: created.data.code };
await alice.DELETE("/api/v1/me/referral-codes/{code}", { params: { path } });
const gone = await goodword.GET("/api/v1/referral-codes/{code}", { params: { path } });
if (gone.error?.code === "code_not_found") console.log(gone.error.code);
