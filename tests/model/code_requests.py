"""The requests of people about codes: their own, those of others, and what they see of their friends."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from model.requests import Call, SignedIn, Wish, active, wrong
from model.state import Account, Code, Model, expect, fold
from model.world import BEGINNING, Answer, World

MINE = "/api/v1/me/referral-codes"
NOTHING = None


def instant(value: str) -> datetime:
    return datetime.fromisoformat(value)


@dataclass(frozen=True, kw_only=True)
class MakeCode(SignedIn):
    lifetime: int = 3600
    wanted: str | None = None
    is_active: bool = True
    max_uses: int | None = None
    discoverable: bool = True

    def call(self, world: World) -> Call:
        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            taken = self.wanted is not None and model.find_code(self.wanted) is not None
            held = model.in_force(account.id)
            refused = self.is_active and held is not None and held.works(model.now)
            match answer.status, answer.code:
                case 201, _:
                    active(account)
                    expect(not taken and not refused, "one code too many")
                    expect(model.find_code(answer.body["code"]) is None, "a string was given out twice")
                    if self.is_active:
                        model.free_the_place(account.id, replace=False)
                    model.codes.append(
                        Code(
                            answer.body["code"],
                            account.id,
                            model.now,
                            model.now + timedelta(seconds=self.lifetime),
                            self.is_active,
                            self.max_uses,
                            self.discoverable,
                        )
                    )
                    expect(as_seen(answer.body) == as_it_is(model.codes[-1], model.now), "not as asked for")
                case 409, "active_code_exists":
                    expect(refused, "none works")
                case 409, "code_taken":
                    expect(taken, "nobody had this string")
                case _:
                    raise wrong(answer)

        body = {
            "lifetime": self.lifetime,
            "active": self.is_active,
            "max_uses": self.max_uses,
            "discoverable": self.discoverable,
            "code": self.wanted,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return self.asks(world, "POST", MINE, judge, json=body)


def as_it_is(code: Code, now: datetime) -> tuple[Any, ...]:
    return (code.text, code.status(now), code.expires_at, code.max_uses, code.uses, code.discoverable)


def as_seen(body: dict[str, Any]) -> tuple[Any, ...]:
    names = ("code", "status", "expires_at", "max_uses", "uses", "discoverable")
    seen = tuple(body[name] for name in names)
    return (*seen[:2], instant(seen[2]), *seen[3:])


@dataclass(frozen=True, kw_only=True)
class OnCode(SignedIn):
    """Something done to a code: the nth latest of person number `of`, who may be somebody else."""

    of: int
    nth: int = 0

    def text(self, world: World) -> str:
        return Wish(node=self.node, who=self.of).code_text(world.model, self.nth)

    @staticmethod
    def theirs(model: Model, answer: Answer, account: Account, text: str) -> Code | None:
        """The code, if the caller has such a one; else the answer must say so."""
        code = model.find_code(text)
        if code is None or code.owner != account.id or code.deleted or account.status == "erased":
            expect((answer.status, answer.code) == (404, "code_not_found"), "found what is not theirs")
            return None
        return code


@dataclass(frozen=True, kw_only=True)
class Activate(OnCode):
    """Of a code that is prepared, if there is one: the first few are those."""

    replace: bool = True

    def call(self, world: World) -> Call:
        model, of = world.model, Wish(node=self.node, who=self.of)
        places = [*model.prepared_codes_of(of.key), *model.codes_of(of.key)]
        text = model.codes[places[self.nth % len(places)]].text if places else "NOSUCHCODE"

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            active(account)
            code = self.theirs(model, answer, account, text)
            if code is None:
                return
            match code.status(model.now):
                case "retired":
                    expect((answer.status, answer.code) == (409, "code_retired"), "retired for good")
                    return
                case "expired":
                    expect((answer.status, answer.code) == (409, "code_expired"), "past its term")
                    return
                case "prepared":
                    if not model.free_the_place(account.id, replace=self.replace):
                        expect(
                            (answer.status, answer.code) == (409, "active_code_exists"), "another one works"
                        )
                        return
                    code.activated = True
            expect(answer.status == 200, "not activated")
            expect(as_seen(answer.body) == as_it_is(code, model.now), "not as it is")

        path = f"{MINE}/{text}/activate"
        return self.asks(world, "POST", path, judge, json={"replace": self.replace})


@dataclass(frozen=True, kw_only=True)
class DeleteCode(OnCode):
    def call(self, world: World) -> Call:
        text = self.text(world)

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            active(account)
            code = self.theirs(model, answer, account, text)
            if code is not None:
                expect(answer.status == 204, "not deleted")
                code.deleted, code.retired = True, code.retired or "deleted"

        return self.asks(world, "DELETE", f"{MINE}/{text}", judge)


@dataclass(frozen=True, kw_only=True)
class ShowCode(OnCode):
    discoverable: bool = False

    def call(self, world: World) -> Call:
        text = self.text(world)

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            active(account)
            code = self.theirs(model, answer, account, text)
            if code is not None:
                code.discoverable = self.discoverable
                expect(answer.status == 200, "neither hidden nor shown")
                expect(as_seen(answer.body) == as_it_is(code, model.now), "not as it is")

        return self.asks(world, "PATCH", f"{MINE}/{text}", judge, json={"discoverable": self.discoverable})


@dataclass(frozen=True, kw_only=True)
class ListCodes(SignedIn):
    def call(self, world: World) -> Call:
        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            expected = Counter(
                as_it_is(code, model.now)
                for code in model.codes
                if code.owner == account.id and not code.deleted and account.status != "erased"
            )
            expect(answer.status == 200, "not listed")
            seen = Counter(map(as_seen, answer.body["items"]))
            expect(seen == expected, f"listed: {seen - expected}, not listed: {expected - seen}")

        return self.asks(world, "GET", MINE, judge, params={"limit": 2}, paged=True)


@dataclass(frozen=True, kw_only=True)
class ListFriends(SignedIn):
    limit: int = 2

    def call(self, world: World) -> Call:
        here = self.sign_in(world.model)

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            expect(answer.status == 200, "not listed")
            expected = Counter()
            for one in model.referrals:
                if one.referrer == account.id:
                    friend, code = model.accounts[one.referee], model.codes[one.code]
                    text = None if account.status == "erased" else code.text
                    expected[friend.display_name, friend.masked, text, one.created_at] += 1
            items = answer.body["items"]
            times = [instant(item["created_at"]) for item in items]
            expect(times == sorted(times, reverse=True), "not the newest first")
            expect(len({item["id"] for item in items}) == len(items), "somebody is listed twice")
            seen = Counter(
                (*item["referee"].values(), item["code"], instant(item["created_at"])) for item in items
            )
            expect(seen == expected, f"listed: {seen - expected}, not listed: {expected - seen}")

        path = f"/api/v1/users/{here.owner if here else 'me'}/referrals"
        return self.asks(world, "GET", path, judge, params={"limit": self.limit}, paged=True)


@dataclass(frozen=True, kw_only=True)
class CountFriends(SignedIn):
    def call(self, world: World) -> Call:
        here = self.sign_in(world.model)

        def judge(model: Model, answer: Answer, by: int | None, account: Account) -> None:
            expect(answer.status == 200, "not counted")
            codes = Counter(one.code for one in model.referrals if one.referrer == account.id)
            body, total = answer.body, codes.total()
            expected: Counter[str | None] = Counter()
            for place, count in codes.items():
                expected[None if account.status == "erased" else model.codes[place].text] += count
            expect((body["total"], body["by_status"]["confirmed"]) == (total, total), "the total is wrong")
            expect(sum(bucket["referrals"] for bucket in body["series"]) == total, "the series is wrong")
            by_code = {one["code"]: one["referrals"] for one in body["by_code"]}
            expect(by_code == expected, f"{by_code}, not {expected}")

        span = {"from": BEGINNING - timedelta(days=1), "to": world.time.now + timedelta(days=1)}
        params = {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in span.items()}
        path = f"/api/v1/users/{here.owner if here else 'me'}/referral-stats"
        return self.asks(world, "GET", path, judge, params={**params, "interval": "month"})


def looked_up(node: int, name: str, path: str, world: World, params: dict[str, str] | None = None) -> Call:
    """A look-up, which must answer what is true, or on another node was true a moment ago."""

    def seen(answer: Answer) -> Any:
        if answer.status == 404:
            return NOTHING
        body = answer.body
        return (body["code"], instant(body["expires_at"]), body["referrer"]["display_name"])

    def judge(model: Model, answer: Answer, by: int | None) -> None:
        expect(answer.status == 200 or answer.code == "code_not_found", f"{answer.status} {answer.code}")
        known = [model.shown().get(name, NOTHING), *world.outdated(node, name)]
        right = {value if value and model.now < value[1] else NOTHING for value in known}
        expect(seen(answer) in right, f"seen: {seen(answer)}, true: {right}")

    return Call(node, "GET", path, judge, params=params, looks_up=name, seen=seen)


@dataclass(frozen=True, kw_only=True)
class LookUp(Wish):
    nth: int = 0
    careless: bool = False

    def call(self, world: World) -> Call:
        text = self.code_text(world.model, self.nth)
        name = f"code:{fold(text)}"
        if self.careless:
            text = "-".join(text.lower()).replace("0", "o").replace("1", "l")
        return looked_up(self.node, name, f"/api/v1/referral-codes/{text}", world)


@dataclass(frozen=True, kw_only=True)
class LookUpByEmail(Wish):
    spelling: int = 0

    def call(self, world: World) -> Call:
        params = {"email": self.spelled(self.spelling)}
        name, path = f"email:{self.key}", "/api/v1/referral-codes/by-email"
        return looked_up(self.node, name, path, world, params)
