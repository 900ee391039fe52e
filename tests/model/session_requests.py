"""The requests of people about their sign-ins: coming in, staying in, going out."""

import base64
import json
from dataclasses import dataclass

from model.requests import NOT_THE_PASSWORD, PASSWORDS, Call, SignedIn, Wish, active, wrong
from model.state import ABSOLUTE, GRACE, IDLE, Account, Model, SignIn, expect
from model.world import Answer, World


@dataclass(frozen=True, kw_only=True)
class SignInAgain(Wish):
    spelling: int = 0
    right: bool = True

    def call(self, world: World) -> Call:
        person = world.model.latest(self.key)
        password = person.password if person and self.right else NOT_THE_PASSWORD

        def judge(model: Model, answer: Answer, by: int | None) -> None:
            account = model.holder(self.key)
            good = account is not None and account.status == "active" and account.password == password
            match answer.status, answer.code:
                case 201, _:
                    expect(good, "somebody came in who must not")
                    assert account is not None
                    claims = json.loads(
                        base64.urlsafe_b64decode(answer.body["access_token"].split(".")[1] + "==")
                    )
                    expect(claims["sub"] == account.id and claims["sid"] not in model.sign_ins, "not theirs")
                    model.sign_ins[claims["sid"]] = SignIn(
                        claims["sid"],
                        account.id,
                        [answer.body["refresh_token"]],
                        answer.body["access_token"],
                        issued_at=model.now,
                        rotated_at=model.now,
                        idle_until=model.now + IDLE,
                        until=model.now + ABSOLUTE,
                    )
                case 401, "invalid_credentials":
                    expect(not good, "the password is right")
                case _:
                    raise wrong(answer)

        body = {"email": self.spelled(self.spelling), "password": password}
        return Call(self.node, "POST", "/api/v1/sessions", judge, json=body)


@dataclass(frozen=True, kw_only=True)
class Refresh(SignedIn):
    back: int = 0
    """0 for the current token, 1 for the one before, and so on."""

    def call(self, world: World) -> Call:
        sign_in = self.sign_in(world.model)
        number = max(0, sign_in.counter - self.back) if sign_in else 0
        token = sign_in.refresh_tokens[number] if sign_in else "gwr_nonsense"

        def judge(model: Model, answer: Answer, by: int | None) -> None:
            now = model.sign_ins[sign_in.id] if sign_in else None
            refused = (answer.status, answer.code) == (400, "invalid_grant")
            expect(refused or answer.status == 200, f"{answer.status} {answer.code} is no answer to this")
            if (
                now is None
                or now.ended
                or not now.in_term(model.now)
                or model.accounts[now.owner].status != "active"
            ):
                expect(refused, "a session that is over was refreshed")
            elif number == now.counter:
                expect(not refused, "the current token was refused")
                expect(answer.body["refresh_token"] not in now.refresh_tokens, "a token was given out twice")
                now.refresh_tokens.append(answer.body["refresh_token"])
                now.rotated_at, now.idle_until = model.now, model.now + IDLE
                now.access_token, now.issued_at = answer.body["access_token"], model.now
            elif number == now.counter - 1 and model.now < now.rotated_at + GRACE:
                expect(not refused, "a lost answer was not given again")
                expect(answer.body["refresh_token"] == now.refresh_tokens[-1], "not the current token")
                now.access_token, now.issued_at = answer.body["access_token"], model.now
            else:
                expect(refused, "an old token was taken")
                model.end(now, "refresh_token_replayed", by)
                model.promise("notice", now.owner)

        form = {"grant_type": "refresh_token", "refresh_token": token}
        return Call(self.node, "POST", "/oauth/token", judge, data=form)


@dataclass(frozen=True, kw_only=True)
class SignOut(SignedIn):
    where: str = "here"

    def call(self, world: World) -> Call:
        here = self.sign_in(world.model)
        path = {"here": "/current", "everywhere": "", "there": f"/{here.id if here else 'x'}"}[self.where]

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            assert here is not None
            sign_in = model.sign_ins[here.id]
            if self.where == "there" and sign_in.ended:
                expect((answer.status, answer.code) == (404, "session_not_found"), "it was over before")
                return
            expect(answer.status == 204, "signed out, and yet not")
            if self.where == "everywhere":
                model.end_all(account.id, "signed_out_everywhere", by)
            else:
                model.end(sign_in, "signed_out", by)

        return self.asks(world, "DELETE", f"/api/v1/me/sessions{path}", judge)


@dataclass(frozen=True, kw_only=True)
class ChangePassword(SignedIn):
    right: bool = True

    def call(self, world: World) -> Call:
        sign_in = self.sign_in(world.model)
        current = world.model.accounts[sign_in.owner].password if sign_in else PASSWORDS[0]
        new = next(one for one in PASSWORDS if one != current)
        given = current if self.right else NOT_THE_PASSWORD

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            if (answer.status, answer.code) == (403, "wrong_password"):
                expect(account.password != given or account.status == "erased", "the password is right")
                return
            expect(answer.status == 204 and account.password == given, "changed with a wrong password")
            active(account)
            assert sign_in is not None
            account.password = new
            model.end_all(account.id, "password_changed", by, but=sign_in.id)
            model.promise("notice", account.id)

        body = {"current_password": given, "new_password": new}
        return self.asks(world, "PUT", "/api/v1/me/password", judge, json=body)
