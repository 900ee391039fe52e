"""The requests of people about their accounts: what is sent, and whether the answer is right in a state.

A request is drawn by numbers alone ("the second latest sign-in of the third person"), which mean somebody
whatever happened before: races must not change what Hypothesis draws next.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.state import (
    ACCESS,
    LETTER,
    SESSIONS_ELSEWHERE,
    Account,
    Code,
    Model,
    Referral,
    SignIn,
    Wrong,
    expect,
    key_of,
)
from model.world import Answer, World

ADDRESSES = (
    ("alice@example.com", "ALICE@Example.COM"),
    ("bob@example.com", "Bob@example.com"),
    ("zo\u00eb@example.com", "zoe\u0308@example.com", "ZO\u00cb@EXAMPLE.com"),
    ("carol@example.com",),
    ("dave+friend@example.com", "DAVE+friend@example.com"),
)
PASSWORDS = ("seven lanterns on the hill", "eight lanterns in the valley")
NOT_THE_PASSWORD = "nine lanterns by the river"
TOO_SHORT = "x7!kQ"

Judge = Callable[[Model, Answer, int | None], None]
"""Raises `Wrong`, or changes the model as the answer says. The number is the node, if only one is at work."""


@dataclass(frozen=True)
class Call:
    node: int
    method: str
    path: str
    judge: Judge
    token: str | None = None
    json: Any = None
    data: Any = None
    params: dict[str, Any] | None = None
    paged: bool = False
    looks_up: str | None = None
    seen: Callable[[Answer], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Something that person number `who` wants of a node."""

    node: int
    who: int

    @property
    def key(self) -> str:
        return key_of(ADDRESSES[self.who][0])

    def spelled(self, spelling: int) -> str:
        return ADDRESSES[self.who][spelling % len(ADDRESSES[self.who])]

    def code_text(self, model: Model, nth: int) -> str:
        """The nth latest code that anybody with this address ever had."""
        found = model.codes_of(self.key)
        return model.codes[found[nth % len(found)]].text if found else "NOSUCHCODE"


def wrong(answer: Answer) -> Wrong:
    return Wrong(f"{answer.status} {answer.code} is no answer to this")


@dataclass(frozen=True, kw_only=True)
class SignedIn(Wish):
    """The same with the access token of one of their sign-ins, on or not."""

    device: int = 0

    def sign_in(self, model: Model) -> SignIn | None:
        found = model.sign_ins_of(self.key)
        return found[self.device % len(found)] if found else None

    def asks(self, world: World, method: str, path: str, judge: Callable[..., None], **more: Any) -> Call:
        """A call with their token. `judge` gets the account of a caller who was let in."""
        sign_in = self.sign_in(world.model)
        token, issued_at = (sign_in.access_token, sign_in.issued_at) if sign_in else ("nonsense", None)

        def with_caller(model: Model, answer: Answer, by: int | None) -> None:
            if sign_in is None:
                expect(answer.status == 401, "let in without a session")
                return
            now = model.sign_ins[sign_in.id]
            must, may = self._admission(model, now, issued_at)
            if answer.status == 401:
                expect(not must, "a live session was refused")
                return
            expect(may, f"a session that is over was let in: {now.ended or 'past its term'}")
            judge(model, answer, by, model.accounts[now.owner])

        return Call(self.node, method, path, with_caller, token, **more)

    def is_let_in(self, model: Model) -> bool:
        sign_in = self.sign_in(model)
        return sign_in is not None and self._admission(model, sign_in, sign_in.issued_at)[0]

    def _admission(self, model: Model, sign_in: SignIn, issued_at: Any) -> tuple[bool, bool]:
        """Whether the service must, and whether it may, take the caller for signed in."""
        whole_second = issued_at.replace(microsecond=0)
        if model.now >= whole_second + ACCESS or not sign_in.in_term(model.now):
            return False, False
        if sign_in.ended is None:
            return True, True
        # Who ended within this very step was perhaps let in a moment before.
        if sign_in.ended_at == model.now:
            return False, True
        return False, sign_in.ended_by != self.node and model.now < sign_in.ended_at + SESSIONS_ELSEWHERE


def active(account: Account) -> None:
    """Whoever writes locks the account first, so that no node acts for one that is not active."""
    expect(account.status == "active", "done for an account that is not active")


@dataclass(frozen=True, kw_only=True)
class Register(Wish):
    spelling: int = 0
    code_of: int | None = None
    nth: int = 0
    short: bool = False

    def call(self, world: World) -> Call:
        email = self.spelled(self.spelling)
        body = {"email": email, "password": TOO_SHORT if self.short else PASSWORDS[0]}
        body["first_name"] = email[:3].title()
        if self.code_of is not None:
            friend = Register(node=self.node, who=self.code_of)
            body["referral_code"] = friend.code_text(world.model, self.nth)
            if self.spelling % 2:
                body["referral_code"] = " ".join(body["referral_code"].lower())
        text = body.get("referral_code")

        def judge(model: Model, answer: Answer, by: int | None) -> None:
            taken = model.holder(self.key) is not None
            code = model.find_code(text) if text else None
            usable = text is None or model.usable(code)
            match answer.status, answer.code:
                case 201, _:
                    expect(not (taken or self.short) and usable, "nobody can join so")
                    self.join(model, answer, body, code)
                case 409, "email_taken":
                    expect(taken, "the address is free")
                case 422, "code_not_usable":
                    expect(not usable, "the code works")
                case 422, "password_too_short":
                    expect(self.short, "the password is long enough")
                case _:
                    raise wrong(answer)

        return Call(self.node, "POST", "/api/v1/users", judge, json=body)

    def join(self, model: Model, answer: Answer, body: dict[str, Any], code: Code | None) -> None:
        address = unicodedata.normalize("NFC", body["email"])
        shown = (answer.body["email"], answer.body["email_verified"], answer.body["referred_by"])
        referrer = model.accounts[code.owner].display_name if code else None
        expect(shown == (address, False, referrer), f"joined as {shown}")
        user_id = answer.body["id"]
        expect(user_id not in model.accounts, "two people are one account")
        model.accounts[user_id] = Account(
            user_id, address, body["password"], unicodedata.normalize("NFC", body["first_name"])
        )
        model.promise("verify_email", user_id)
        if code is not None:
            code.uses += 1
            model.referrals.append(Referral(code.owner, user_id, model.codes.index(code), model.now))
            model.promise("friend_joined", code.owner)


@dataclass(frozen=True, kw_only=True)
class Verify(Wish):
    def call(self, world: World) -> Call:
        letters = [one for one in world.model.letters if world.model.accounts[one.owner].key == self.key]
        token = letters[-1].token if letters else "gwv_nonsense"

        def judge(model: Model, answer: Answer, by: int | None) -> None:
            letter = next((one for one in model.letters if one.token == token), None)
            good = (
                letter is not None
                and not letter.used
                and model.now < letter.sent_at + LETTER
                and model.accounts[letter.owner].status == "active"
            )
            if good:
                expect(answer.status == 204, "the link of the letter does not work")
                if not model.accounts[letter.owner].verified:
                    model.promise("notice", letter.owner)  # the welcome
                letter.used = model.accounts[letter.owner].verified = True
            else:
                expect(
                    (answer.status, answer.code) == (400, "token_invalid"), "verified with a worthless link"
                )

        return Call(self.node, "POST", "/api/v1/email-verifications/confirm", judge, json={"token": token})


@dataclass(frozen=True, kw_only=True)
class ReadMe(SignedIn):
    def call(self, world: World) -> Call:
        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            active(account)
            seen = tuple(answer.body[name] for name in ("id", "email", "email_verified", "first_name"))
            is_ = (account.id, account.address, account.verified, account.first_name)
            expect(seen == is_, f"seen: {seen}")
            if by is not None:  # read after the rest of it, so that another's change can come between
                expect(answer.body["referred_by"] == model.referred_by(account.id), "another referrer")

        return self.asks(world, "GET", "/api/v1/me", judge)


@dataclass(frozen=True, kw_only=True)
class Rename(SignedIn):
    name: str | None = "Renamed"

    def call(self, world: World) -> Call:
        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            active(account)
            expect((answer.status, answer.body["first_name"]) == (200, self.name), "not renamed")
            account.first_name = self.name

        return self.asks(world, "PATCH", "/api/v1/me", judge, json={"first_name": self.name})


@dataclass(frozen=True, kw_only=True)
class Leave(SignedIn):
    right: bool = True

    def call(self, world: World) -> Call:
        sign_in = self.sign_in(world.model)
        password = (
            world.model.accounts[sign_in.owner].password if sign_in and self.right else NOT_THE_PASSWORD
        )

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            if (answer.status, answer.code) == (403, "wrong_password"):
                expect(account.password != password or account.status == "erased", "the password is right")
                return
            expect(answer.status == 204 and account.password == password, "erased with a wrong password")
            active(account)
            model.erase(account, by)

        return self.asks(world, "DELETE", "/api/v1/me", judge, json={"password": password})


@dataclass(frozen=True, kw_only=True)
class Administer(Wish):
    """What Rita does to somebody."""

    action: str = "disable"

    def call(self, world: World) -> Call:
        person = world.model.latest(self.key)
        path = f"/api/v1/admin/users/{person.id if person else '00000000-0000-0000-0000-000000000000'}"

        def judge(model: Model, answer: Answer, by: int | None) -> None:
            if person is None:
                expect((answer.status, answer.code) == (404, "user_not_found"), "nobody was found")
                return
            account = model.accounts[person.id]
            if account.status == "erased":
                expect((answer.status, answer.code) == (409, "user_erased"), "something was left to change")
                return
            expect(answer.status == (204 if self.action == "erase" else 200), "an administrator was refused")
            if self.action == "erase":
                model.erase(account, by)
            elif self.action == "disable":
                account.status = "disabled"
                model.end_all(account.id, "disabled", by)
            else:
                account.status = "active"

        method = "DELETE" if self.action == "erase" else "POST"
        path += "" if self.action == "erase" else f"/{self.action}"
        return Call(self.node, method, path, judge, token=world.rita.tokens["access_token"])
