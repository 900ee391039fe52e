#!/usr/bin/env python3
"""As much of curl as the README uses, for machines without it: `-s`, `-X`, `-H`, `-d` and an address."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-X", dest="method")
parser.add_argument("-H", dest="headers", action="append", default=[])
parser.add_argument("-d", dest="data")
parser.add_argument("url")
given = parser.parse_args()

headers = dict(header.split(": ", 1) for header in given.headers)
request = Request(given.url, given.data and given.data.encode(), headers, method=given.method)
try:
    answer = urlopen(request)
except HTTPError as error:
    answer = error
with answer:
    sys.stdout.write(answer.read().decode())
