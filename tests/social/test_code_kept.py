"""The referral code on the way through a provider: kept until the registration, or until it is removed."""

from people import make_code, referrals_of
from social.browser import begin, leave, sign_in


async def test_a_second_tab_without_a_code_keeps_the_code(api, provider, bob):
    code = (await make_code(bob))["code"]
    await begin(api, referral_code=code)

    answer = await sign_in(api, provider)

    assert answer.status_code == 303
    assert len(await referrals_of(bob)) == 1


async def test_a_removed_code_is_not_kept(api, provider, bob):
    await begin(api, referral_code=(await make_code(bob))["code"])

    assert (await sign_in(api, provider, referral_code="")).status_code == 303
    assert await referrals_of(bob) == []


async def test_an_error_page_keeps_the_code(api, provider, bob):
    code = (await make_code(bob))["code"]
    first = await leave(api, provider, referral_code=code)
    await begin(api)

    answer = await api.get(first, headers={"Accept": "text/html"})

    assert answer.status_code == 400
    assert f'href="/sign-up?referral_code={code}"' in answer.text
    assert f'href="/sign-in?referral_code={code}"' in answer.text


async def test_who_says_no_comes_back_to_the_registration_with_their_code(api, provider, bob):
    code = (await make_code(bob))["code"]
    await leave(api, provider, referral_code=code, next="/account")

    answer = await api.get(f"/oauth/callback/oidc?error=access_denied&state={provider.seen[0]['state']}")

    assert answer.headers["location"] == f"/sign-up?referral_code={code}&next=%2Faccount"
