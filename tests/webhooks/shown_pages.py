"""What the pages of webhooks show."""

import html
import re

LIST = "/admin/webhooks"
NOWHERE = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"


def text_of(page):
    assert page.status_code == 200, page.text
    return html.unescape(re.sub(r"<[^>]+>", "", page.text))


def rows_of(page):
    """Return the texts of the cells of each row."""
    assert page.status_code == 200, page.text
    table = re.search(r"<tbody>(.*?)</tbody>", page.text, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table[1] if table else "", re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]
