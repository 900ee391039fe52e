"""The events, refunds, steps and reviews of a machine: drawn values become facts and requests."""

from datetime import datetime, timedelta

from model.earned import ZONE
from model.reward_world import Judged

NAMES = ("ann", "bea", "cem", "dot", "eli")


def as_json(found):
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()
    }


def json_of(event_id, event_type, who, at, minor, currency, refunded):
    body = {
        "id": event_id,
        "type": event_type,
        "participant": {"external_id": who},
        "occurred_at": at.isoformat(),
    }
    body |= {"amount": {"minor": minor, "currency": currency}} if minor is not None else {}
    return body | ({"refunds": refunded} if refunded else {})


class Wishes(Judged):
    def do(self, *actions):
        wishes = [(self.wish(action), node) for action, node in actions]
        self.send(
            [
                (what, about, node, path, json)
                for (what, about, _, path, json), node in filter(lambda one: one[0], wishes)
            ]
        )

    def wish(self, action):
        """Return the fact that an action makes, its arguments, and the request."""
        do = action["do"]
        if do in {"event", "refund", "again"}:
            about = getattr(self, f"{do}_of")(action)
            if about is None:
                return None
            if do != "again":
                self.sent.append(about)
            return "event", about, "POST", "/events", json_of(*about)
        which = action["which"]
        if do == "erased":
            who = NAMES[which % len(NAMES)]
            return do, (who,), "DELETE", f"/participants/{who}", None
        if do in {"rejected", "accepted"}:
            found = list(self.ledger.referrals)
            return (do, (found[which % len(found)],), "POST", "", None) if found else None
        keys = list(self.ids)
        if not keys:
            return None
        key = keys[-1 - which % len(keys)]
        return self.step_of(do, key, action["part"])

    def step_of(self, do, key, part):
        """Return the fact, its arguments, and the request of a step of a reward."""
        path = f"/rewards/{self.ids[key]}/{do}"
        if do == "reverse":
            amount = {"amount_minor": part} if part else {}
            return do, (key, part), "POST", path, {"reason": "a test"} | amount
        if do == "fulfil":
            return do, (key, str(part)), "POST", path, {"external_reference": str(part)}
        return do, (key,), "POST", path, {"reason": "a test"} if do == "cancel" else {}

    def event_of(self, action):
        at = self.moment(action["moment"], self.ledger.person(action["who"]))
        amount = action["amount"]
        currency = None if amount is None else action["currency"]
        return f"e{len(self.sent)}", action["type"], action["who"], at, amount, currency, None

    def refund_of(self, action):
        of = action["of"]
        if of < 0 or of >= len(self.sent):
            target, who, minor, currency = f"e{len(self.sent) + max(1, -of)}", "bea", 10_000, "USD"
        else:
            target, _, who, _, minor, currency, _ = self.sent[-1 - of]
        who = "cem" if action["other"] == "person" else who
        currency = "EUR" if action["other"] == "currency" else currency or "USD"
        amount = None if action["part"] is None else max(1, (minor or 1000) * action["part"] // 100)
        return f"e{len(self.sent)}", "refund", who, self.now, amount, currency if amount else None, target

    def again_of(self, action):
        if not self.sent:
            return None
        found = self.sent[-1 - action["which"] % len(self.sent)]
        return (found[0], "renewal", *found[2:]) if action["other"] else found

    def moment(self, name, person):
        joined = person.signed_up_at if person else self.now
        live = [found for _, found in self.ledger.rules.values() if found]
        within = timedelta(seconds=next((found["within"] for found in live if "within" in found), 3600))
        month = (
            self.now.astimezone(ZONE)
            .replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            .astimezone(self.now.tzinfo)
        )
        period, end = (
            next((found[key] for found in live if key in found), self.now) for key in ("starts_at", "ends_at")
        )
        second = timedelta(seconds=1)
        return {
            "now": self.now,
            "sign-up": joined,
            "before the sign-up": joined - second,
            "within": joined + within,
            "after within": joined + within + second,
            "month": month,
            "before the month": month - second,
            "period": period,
            "before the period": period - second,
            "end": end,
            "before the end": end - second,
            "leeway": self.now + timedelta(seconds=60),
            "future": self.now + timedelta(seconds=61),
            "oldest": self.now - timedelta(days=400),
            "too old": self.now - timedelta(days=400, seconds=1),
        }[name]
