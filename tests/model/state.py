"""What must hold, said once and simply: the service as its users may think of it, with neither database nor cache.

`Model` knows people, their sign-ins, codes and referrals, and what was promised to be sent. The requests of
`requests.py` hold each answer against it, and change it when something was done.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ACCESS = timedelta(minutes=10)
GRACE = timedelta(seconds=10)
IDLE, ABSOLUTE = timedelta(days=30), timedelta(days=90)
LETTER = timedelta(hours=24)
CODES_ELSEWHERE = timedelta(seconds=1)
"""How long another node may show what is no longer true of a code."""
SESSIONS_ELSEWHERE = timedelta(seconds=5)
"""How long another node may take an ended session to be on."""
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Wrong(AssertionError):
    """An answer that the service must not give in this state."""


def expect(condition: object, why: str) -> None:
    if not condition:
        raise Wrong(why)


def key_of(email: str) -> str:
    """Two addresses with one key are one account. (The machine's people have ASCII domains.)"""
    return unicodedata.normalize("NFC", email.lower())


def fold(code: str) -> str:
    """Two texts with one folded form are one code."""
    return code.upper().translate(LOOK_ALIKES)


@dataclass
class Account:
    id: str
    address: str
    """As typed, also after erasure: the machine goes on trying what belonged to them."""
    password: str
    first_name: str | None
    status: str = "active"
    verified: bool = False
    is_admin: bool = False

    @property
    def key(self) -> str:
        return key_of(self.address)

    @property
    def display_name(self) -> str:
        return self.first_name or "A friend"

    @property
    def masked(self) -> str | None:
        local, _, domain = self.address.partition("@")
        return None if self.status == "erased" else f"{local[0]}***@{domain}"


@dataclass
class SignIn:
    id: str
    owner: str
    refresh_tokens: list[str]
    access_token: str
    issued_at: datetime
    rotated_at: datetime
    idle_until: datetime
    until: datetime
    ended: str | None = None
    ended_at: datetime | None = None
    ended_by: int | None = None
    """The node that ended it; None if that was one of several."""

    @property
    def counter(self) -> int:
        return len(self.refresh_tokens) - 1

    def in_term(self, now: datetime) -> bool:
        return now < min(self.idle_until, self.until)


@dataclass
class Code:
    text: str
    owner: str
    created_at: datetime
    expires_at: datetime
    activated: bool
    max_uses: int | None
    discoverable: bool
    retired: str | None = None
    deleted: bool = False
    uses: int = 0

    def used_up(self) -> bool:
        return self.max_uses is not None and self.uses >= self.max_uses

    def works(self, now: datetime) -> bool:
        return self.activated and not self.retired and now < self.expires_at and not self.used_up()

    def status(self, now: datetime) -> str:
        if self.retired:
            return "retired"
        if now >= self.expires_at:
            return "expired"
        return "active" if self.activated else "prepared"


@dataclass
class Referral:
    referrer: str
    referee: str
    code: int
    created_at: datetime


@dataclass
class Letter:
    """A token that came by letter, to prove an address."""

    token: str
    owner: str
    sent_at: datetime
    used: bool = False


@dataclass
class Model:
    now: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    codes: list[Code] = field(default_factory=list)
    referrals: list[Referral] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    outbox: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Every promise to send something, done or not, by its kind and whom it is about."""
    unsent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of those, the ones that no worker has seen yet."""

    # Who and what there is

    def holder(self, key: str) -> Account | None:
        """Whose address it is now."""
        return next(
            (one for one in self.accounts.values() if one.key == key and one.status != "erased"), None
        )

    def latest(self, key: str) -> Account | None:
        """Whose address it is, or was last."""
        return next((one for one in reversed(self.accounts.values()) if one.key == key), None)

    def sign_ins_of(self, key: str) -> list[SignIn]:
        """All that anybody with this address ever had, the newest first."""
        return [one for one in reversed(self.sign_ins.values()) if self.accounts[one.owner].key == key]

    def codes_of(self, key: str) -> list[int]:
        """The same for codes: their places in `codes`."""
        return [n for n, code in enumerate(self.codes) if self.accounts[code.owner].key == key][::-1]

    def prepared_codes_of(self, key: str) -> list[int]:
        return [n for n in self.codes_of(key) if self.codes[n].status(self.now) == "prepared"]

    def find_code(self, text: str) -> Code | None:
        return next((code for code in self.codes if fold(code.text) == fold(text)), None)

    def usable(self, code: Code | None) -> bool:
        """Whether a friend can join with it."""
        return code is not None and code.works(self.now) and self.accounts[code.owner].status == "active"

    def in_force(self, owner: str) -> Code | None:
        """The one code that holds the place, whether it still works or not."""
        held = [code for code in self.codes if code.owner == owner and code.activated and not code.retired]
        expect(len(held) <= 1, "two codes in force (I1)")
        return held[0] if held else None

    def referred_by(self, referee: str) -> str | None:
        found = next((one for one in self.referrals if one.referee == referee), None)
        return self.accounts[found.referrer].display_name if found else None

    def shown(self) -> dict[str, tuple[str, datetime, str]]:
        """What look-ups find, by the name of the look-up: the code, its last instant, and who invites."""
        found = {}
        for code in self.codes:
            owner = self.accounts[code.owner]
            if owner.status == "active" and code.activated and not code.retired and not code.used_up():
                answer = (code.text, code.expires_at, owner.display_name)
                found[f"code:{fold(code.text)}"] = answer
                if code.discoverable:
                    found[f"email:{owner.key}"] = answer
        return found

    # What happens

    def promise(self, kind: str, about: str) -> None:
        self.outbox[kind, about] += 1
        self.unsent[kind, about] += 1

    def end(self, sign_in: SignIn, why: str, by: int | None) -> None:
        if sign_in.ended is None:
            sign_in.ended, sign_in.ended_at, sign_in.ended_by = why, self.now, by

    def end_all(self, owner: str, why: str, by: int | None, *, but: str | None = None) -> None:
        for sign_in in self.sign_ins.values():
            if sign_in.owner == owner and sign_in.id != but:
                self.end(sign_in, why, by)

    def free_the_place(self, owner: str, *, replace: bool) -> bool:
        """Whether another code can come in force: one that no longer works, or is replaced, gives way."""
        held = self.in_force(owner)
        if held is None:
            return True
        if held.works(self.now):
            if not replace:
                return False
            held.retired = "replaced"
        else:
            held.retired = "used_up" if held.used_up() else "expired"
        return True

    def erase(self, account: Account, by: int | None) -> None:
        self.end_all(account.id, "erased", by)
        for code in self.codes:
            if code.owner == account.id:
                code.retired = code.retired or "erased"
        for promises in (self.outbox, self.unsent):
            for promise in [one for one in promises if one[1] == account.id]:
                del promises[promise]
        account.status, account.first_name, account.verified = "erased", None, False

    # What the database must say

    def facts(self) -> dict[str, object]:
        """All of it in a form that can be compared with `facts.read`, which reads the same from the tables."""
        erased = {one.id for one in self.accounts.values() if one.status == "erased"}
        texts = [None if code.owner in erased else code.text for code in self.codes]
        return {
            "accounts": {
                one.id: (
                    one.status,
                    None if one.id in erased else one.key,
                    one.first_name,
                    one.verified,
                )
                for one in self.accounts.values()
            },
            "sessions": {
                one.id: (one.owner, one.counter, one.ended, min(one.idle_until, one.until))
                for one in self.sign_ins.values()
            },
            "codes": Counter(
                (
                    text,
                    code.owner,
                    code.created_at,
                    code.expires_at,
                    code.activated,
                    code.retired,
                    code.deleted,
                    code.max_uses,
                    code.uses,
                    code.discoverable,
                )
                for text, code in zip(texts, self.codes, strict=True)
            ),
            "referrals": Counter(
                (one.referrer, one.referee, texts[one.code], one.created_at) for one in self.referrals
            ),
            "outbox": +self.outbox,
        }
