# ruff: noqa: INP001, T201  a single file to run, not a package
"""A stand-in for Hunter, to try the e-mail checks without an API key. The address decides the response.

    python examples/hunter_stand_in.py 9099

    GOODWORD_HUNTER_URL=http://127.0.0.1:9099 GOODWORD_HUNTER_API_KEY=anything GOODWORD_EMAIL_CHECK=blocking \\
        GOODWORD_ENRICHMENT=hunter make serve

bob+invalid@example.com is invalid. The tags valid, accept_all, webmail, disposable and unknown work the same way.
The tags 202, 222, 400, 401, 403, 429, 451 and 500 set the status of the response, and slow delays it. All other
addresses are valid. Enrichment finds every address without the tag 404.
"""

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Hunter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        email = parse_qs(url.query).get("email", [""])[0]
        number = re.search(r"\+(202|222|4\d\d|500)\b", email)
        if not self.headers["X-API-KEY"]:
            self.answer(401, {"errors": [{"id": "authentication_failed", "code": 401}]})
        elif number:
            self.answer(int(number[1]), {"errors": [{"id": "as_asked_for", "code": int(number[1])}]})
        elif url.path == "/v2/email-verifier":
            if "+slow" in email:
                time.sleep(20)
            word = re.search(r"\+(invalid|accept_all|webmail|disposable|unknown)\b", email)
            data = {"status": word[1] if word else "valid", "email": email}
            self.answer(200, {"data": data, "meta": {"params": {"email": email}}})
        elif url.path == "/v2/combined/find":
            person = {
                "name": {"fullName": email.partition("@")[0].title()},
                "employment": {"title": "Head of Curiosity", "role": "research"},
                "geo": {"city": "Oxford", "country": "United Kingdom"},
            }
            company = {"name": "Rabbit Hole Ltd", "domain": email.partition("@")[2]}
            self.answer(200, {"data": {"person": person, "company": company}})
        else:
            self.answer(404, {"errors": [{"id": "not_found", "code": 404}]})

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9099
    print(f"The stand-in for Hunter listens on http://127.0.0.1:{port}")
    ThreadingHTTPServer(("127.0.0.1", port), Hunter).serve_forever()
