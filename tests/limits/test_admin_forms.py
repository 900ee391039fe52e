"""The forms of administrators: counted with what they write by the API."""

import pytest

from pages.pressing import press
from second_service import second_service
from third_party import Browser

pytestmark = pytest.mark.one_database


async def test_forms_of_an_administrator_count_as_writes(database_url, api, rita, alice):
    here = f"/admin/users/{alice.id}"
    async with second_service(database_url, limits="write=2/minute") as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        by_api = await client.post(
            f"/api/v1{here}/disable", headers={"Authorization": f"Bearer {rita.tokens['access_token']}"}
        )
        pressed = [await press(browser, here, f"{here}/{act}") for act in ("enable", "disable")]
        looked = await browser.get(here)

    assert by_api.status_code == 200, by_api.text
    assert [answer.status_code for answer in pressed] == [303, 429]
    assert looked.status_code == 200
    assert "Disable account of Alice Liddell</button>" in looked.text, "what was refused is not done"
