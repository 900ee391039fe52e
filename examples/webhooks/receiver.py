"""A receiver of webhooks: verifies the signature, and handles each event once.

pip install standardwebhooks
WEBHOOK_SECRET=whsec_… python receiver.py 8090
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LONGEST = 64 * 1024


class Receiver(BaseHTTPRequestHandler):
    seen: ClassVar[set[str]] = set()  # in your product: a table with a unique `webhook-id`

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST:
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            # It also refuses a time that is more than five minutes away: a replay.
            Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            return self.answer(400)
        webhook_id = self.headers["webhook-id"]
        if webhook_id not in self.seen:  # an event can come more than once
            self.handle_event(json.loads(body))
            self.seen.add(webhook_id)
        return self.answer(204)

    def handle_event(self, event: dict) -> None:
        """Do what your product does with it, or store it. Answer within ten seconds."""
        print(event["type"], event["sequence"], json.dumps(event["data"], sort_keys=True), flush=True)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing: `handle_event` prints."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("ready", flush=True)
    server.serve_forever()
