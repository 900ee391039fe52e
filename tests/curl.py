#!/usr/bin/env python3
"""As much of curl as the documents use, for machines without it."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-X", dest="method")
parser.add_argument("-H", dest="headers", action="append", default=[])
parser.add_argument("-d", dest="data")
parser.add_argument("-A", dest="user_agent", default="curl/8")
parser.add_argument("-o", dest="output", choices=["/dev/null"])
parser.add_argument("-w", dest="shown", choices=["%{redirect_url}", "%{http_code}"])
parser.add_argument("url")
given = parser.parse_args()


class NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


headers = {"User-Agent": given.user_agent, **dict(header.split(": ", 1) for header in given.headers)}
request = Request(given.url, given.data and given.data.encode(), headers, method=given.method)
try:
    answer = build_opener(NoRedirects).open(request)
except HTTPError as error:
    answer = error
with answer:
    body = answer.read().decode()
    if not given.output:
        sys.stdout.write(body)
    if given.shown:
        sys.stdout.write(answer.headers["Location"] if "redirect" in given.shown else str(answer.status))
