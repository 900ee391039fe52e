"""GET /me/referral-codes/{code}/qr.svg and .png"""

import struct
import xml.etree.ElementTree as ET
import zlib

import pytest
import segno

from people import make_code

pytestmark = pytest.mark.one_database


def modules_of_png(png):
    """Return the dark modules of a PNG of one bit per pixel, row by row."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, color = struct.unpack(">IIBB", png[16:26])
    assert (depth, color) == (1, 0)
    start, data = 8, b""
    while start < len(png):
        length, kind = struct.unpack(">I4s", png[start : start + 8])
        data += png[start + 8 : start + 8 + length] if kind == b"IDAT" else b""
        start += length + 12
    raw, stride = zlib.decompress(data), (width + 7) // 8 + 1
    rows = [raw[row * stride + 1 : (row + 1) * stride] for row in range(0, height, 8)]
    return [
        [row[x] == 0 for x in range(width // 8)] for row in rows
    ]  # one byte for the eight pixels of a module


def modules_of(link):
    return [
        [bool(dark) for dark in row] for row in segno.make(link, error="m", micro=False).matrix_iter(border=4)
    ]


async def test_the_png_contains_the_link(alice):
    code = await make_code(alice, code="ALICE-2026")

    answer = await alice.get("/api/v1/me/referral-codes/alice2026/qr.png")

    assert answer.headers["content-type"] == "image/png"
    assert modules_of_png(answer.content) == modules_of(code["link"])
    assert answer.headers["cache-control"] == "no-store"


async def test_the_svg_contains_the_link(alice):
    code = await make_code(alice)

    answer = await alice.get(f"/api/v1/me/referral-codes/{code['code']}/qr.svg")

    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    drawing = ET.fromstring(answer.content)
    size = len(modules_of(code["link"])) * 8
    assert (drawing.get("width"), drawing.get("height")) == (str(size), str(size))
    assert "<script" not in answer.text
    assert "style" not in answer.text


async def test_a_prepared_code_has_a_qr_code(alice):
    code = await make_code(alice, active=False)

    assert (await alice.get(f"/api/v1/me/referral-codes/{code['code']}/qr.svg")).status_code == 200


@pytest.mark.parametrize("kind", ["svg", "png"])
async def test_another_owners_code_is_not_found(alice, mallory, kind):
    code = await make_code(alice)

    for path in (code["code"], "NOSUCHCODE", "%3Cscript%3E"):
        answer = await mallory.get(f"/api/v1/me/referral-codes/{path}/qr.{kind}")
        assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
