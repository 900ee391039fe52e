// A receiver of webhooks: verifies the signature, and handles each event once. It needs Node.js 20 and no package.
//
//     WEBHOOK_SECRET=whsec_… node receiver.mjs 8090

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const LONGEST = 64 * 1024;
const TOLERANCE = 5 * 60; // seconds
const seen = new Set(); // in your product: a table with a unique `webhook-id`

/** Return whether one of the signatures is right, and the time near: https://www.standardwebhooks.com */
function verify(secret, headers, body) {
  const id = headers["webhook-id"];
  const time = headers["webhook-timestamp"];
  if (!id || !time || !(Math.abs(Date.now() / 1000 - Number(time)) <= TOLERANCE)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((given) => {
    const [version, text] = given.split(",");
    const signature = Buffer.from(text ?? "", "base64");
    return version === "v1" && signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}

/** Do what your product does with it, or store it. Answer within ten seconds. */
function handle(event) {
  console.log(event.type, event.sequence, JSON.stringify(event.data));
}

const server = createServer((request, response) => {
  const parts = [];
  let size = 0;
  request.on("data", (part) => {
    size += part.length;
    if (size > LONGEST) request.destroy();
    parts.push(part);
  });
  request.on("end", () => {
    const body = Buffer.concat(parts);
    if (!verify(process.env.WEBHOOK_SECRET, request.headers, body)) {
      response.writeHead(400).end();
      return;
    }
    const id = request.headers["webhook-id"];
    if (!seen.has(id)) {
      handle(JSON.parse(body));
      seen.add(id); // an event can come more than once
    }
    response.writeHead(204).end();
  });
});

server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
