"""The story of Goodword: Alice creates a code, and Bob registers with it."""

import sys

from goodword_client import Goodword, codes, models

PASSWORD = "seven lanterns on the hill"

with Goodword(sys.argv[1]) as goodword:
    # 1. Alice registers, 2. signs in, and 3. creates a code that is valid for a week.
    goodword.register(models.UserCreate("alice@example.com", PASSWORD, "Alice", "Liddell"))
    tokens = goodword.sign_in(models.SessionCreate("alice@example.com", PASSWORD))
    alice = goodword.with_token(tokens.access_token)
    code = alice.create_code(models.CodeCreate(lifetime=604_800, code="ALICE-2026"))
    print(code.link)

    # 4. Bob looks up the code by Alice's e-mail address, and 5. registers with it.
    found = goodword.find_code_by_email(email="alice@example.com")
    bob = models.UserCreate("bob@example.com", PASSWORD, "Bob", "Baker", referral_code=found.code)
    goodword.register(bob)

    # 6. Alice lists her referrals, from all pages.
    for referral in alice.each(alice.list_own_referrals):
        print(referral.referee.display_name, referral.status)

    # 7. She deletes the code, and it can no longer be used.
    alice.delete_code(code.code)
    try:
        goodword.find_code(code.code)
    except codes.CodeNotFound as error:
        print(error.code)
