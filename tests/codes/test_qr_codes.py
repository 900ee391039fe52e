"""GET /me/referral-codes/{code}/qr.svg and .png"""

import struct
import xml.etree.ElementTree as ET
import zlib

import pytest
import segno
import zxingcpp

from asgi import replaced
from goodword.config.brand_settings import read_logo
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


SQUARE = "".join(f'<path fill="#{n % 7}a{n % 9}" d="M{n} 0h1v100h-1z"/>' for n in range(100))
LOGO = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{SQUARE}<script>alert(1)</script></svg>'
)


def pixels_of(png):
    """Return the width, the height and the gray pixels of a PNG with 8 bits for each of 3 or 4 channels."""
    width, height, depth, color = struct.unpack(">IIBB", png[16:26])
    channels, start, data = {2: 3, 6: 4}[color], 8, b""
    assert depth == 8
    while start < len(png):
        length, kind = struct.unpack(">I4s", png[start : start + 8])
        data += png[start + 8 : start + 8 + length] if kind == b"IDAT" else b""
        start += length + 12
    raw, stride = zlib.decompress(data), width * channels
    above, gray = bytearray(stride), bytearray()
    for row in range(height):
        begin = row * (stride + 1)
        line, how = bytearray(raw[begin + 1 : begin + 1 + stride]), raw[begin]
        for n in range(stride):
            left = line[n - channels] if n >= channels else 0
            corner = above[n - channels] if n >= channels else 0
            line[n] = (line[n] + unfilter(how, left, above[n], corner)) & 255
        gray += bytes((3 * line[n] + 6 * line[n + 1] + line[n + 2]) // 10 for n in range(0, stride, channels))
        above = line
    return width, height, bytes(gray)


def unfilter(how, left, above, corner):
    """Return what a filter of PNG (section 9.2) took away."""
    if how == 4:
        estimate = left + above - corner
        return min((left, above, corner), key=lambda value: abs(estimate - value))
    return (0, left, above, (left + above) // 2)[how]


@pytest.mark.parametrize("color", [None, "#7b2ff7"])
async def test_a_decoder_reads_the_code_with_logo_and_color(app, alice, tmp_path, color):
    logo = tmp_path / "logo.svg"
    logo.write_text(LOGO)
    values = {"brand_name": "Acme", "brand_logo": read_logo(logo), "brand_color": color}
    code = await make_code(alice, code="ALICE-2026")
    with replaced(app, settings=app.state.services.settings.model_copy(update=values)):
        png = await alice.get("/api/v1/me/referral-codes/alice2026/qr.png")
        svg = await alice.get("/api/v1/me/referral-codes/alice2026/qr.svg")
        plain = await alice.get("/api/v1/me/referral-codes/alice2026/qr.png", params={"plain": "true"})

    width, height, gray = pixels_of(png.content)
    (found,) = zxingcpp.read_barcodes(memoryview(gray).cast("B", [height, width]))
    assert (found.text, found.format) == (code["link"], zxingcpp.BarcodeFormat.QRCode)
    assert len(set(gray)) > 8, "the logo has many colors"
    assert svg.text.count("<image ") == 1
    assert "<script" not in svg.text
    assert ("#000" in svg.text) == (color is None)
    assert modules_of_png(plain.content) == modules_of(code["link"])
