"""Pressing one button of a page that has many forms."""

import html
import re
from typing import Any

from httpx2 import Response

from third_party import Browser


async def press(browser: Browser, page: str, action: str, *, headers: Any = None, **fields: str) -> Response:
    """Send one of the forms of somebody's page: those that it has there, with `fields` filled in."""
    shown = await browser.get(page)
    form = re.search(rf'<form[^>]* action="{action}">(.*?)</form>', shown.text, re.DOTALL)
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1] if form else "")
    found += re.findall(r'<button type="submit" name="(\w+)" value="([^"]*)">', form[1] if form else "")[:1]
    hidden = {name: html.unescape(value) for name, value in found}
    hidden.setdefault(
        "form_token", (re.findall(r'name="form_token" value="(\w+)"', shown.text) or ["none"])[0]
    )
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin", **(headers or {})}
    return await browser.client.post(action, data={**hidden, **fields}, headers=own)
