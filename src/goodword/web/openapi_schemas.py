"""Names of the schemas in the OpenAPI document, from which generators make the classes of a client."""

from collections.abc import Iterator
from typing import Any

NAMES = {
    "Action": "AuditAction",
    "Actor": "ActorKind",
    "Alive": "Liveness",
    "Approval": "RewardApproval",
    "Attribution": "AttributionModel",
    "AuditList": "AuditEventList",
    "AuditRead": "AuditEvent",
    "Balance": "RewardBalance",
    "BalanceList": "RewardBalanceList",
    "Batch": "ParticipantBatch",
    "BatchItem": "ParticipantBatchItem",
    "BatchResult": "ParticipantBatchResult",
    "Bucket": "ReferralBucket",
    "Cap": "RewardCapTerms",
    "CapPeriod": "RewardCapPeriod",
    "CapRead": "RewardCap",
    "Checks": "ReadinessChecks",
    "Confirmation": "EmailConfirmation",
    "DryRun": "EventDryRun",
    "DryRunReward": "EventDryRunReward",
    "EntryRead": "RewardEntry",
    "EventParticipant": "ParticipantIdentity",
    "EventResult": "EventBatchItemResult",
    "Interval": "StatsInterval",
    "Introspection": "TokenIntrospection",
    "ItemError": "BatchItemProblem",
    "ItemResult": "ParticipantBatchItemResult",
    "Money": "MoneyAmount",
    "Order": "ReferralOrder",
    "ParticipantReferrals": "ParticipantReferralList",
    "Ready": "Readiness",
    "Reason": "UnusableReason",
    "ReferrerRead": "ParticipantReferrer",
    "RuleList": "RewardRuleList",
    "RuleRead": "RewardRule",
    "RuleWrite": "RewardRuleTerms",
    "State": "CheckState",
    "Storage": "StorageState",
    "Subject": "AuditSubject",
    "Tier": "RewardTierTerms",
    "TierRead": "RewardTier",
    "TokenAnswer": "OAuthTokens",
    "TokenError": "OAuthError",
    "TokenRead": "SessionTokens",
    "TreeNode": "ReferralTreeNode",
    "Verdict": "EmailVerdict",
    "Warnings": "ParticipantWarning",
}
"""By the name of the class. Other schemas have the name of their class, without `Read` at its end."""
REF = "#/components/schemas/"
EXAMPLES = frozenset({"example", "examples"})


def complete(document: dict[str, Any]) -> None:
    """Name all schemas, and move those with a title, and enumerations with a name, to the components."""
    schemas = document["components"]["schemas"]
    names = {old: NAMES.get(old, old.removesuffix("Read")) for old in schemas}
    named = {new: schemas[old] for old, new in names.items()}
    if len(named) < len(names):
        raise ValueError(f"Two schemas have the same name: {sorted(names.values())}")
    enumerations = {tuple(schema["enum"]): name for name, schema in named.items() if "enum" in schema}
    schemas.clear()
    for name, schema in named.items():
        schemas[name] = schema
        schema["title"] = name
    operations = (document["paths"], document.get("webhooks", {}))
    for holder, key in [*_places(operations), *_inner_places(named)]:
        schema = holder[key]
        if (reference := schema.get("$ref", "")).startswith(REF):
            old = reference.removeprefix(REF)
            schema["$ref"] = REF + names.get(old, old)
        elif isinstance(title := schema.get("title"), str):
            name = NAMES.get(title, title)
            schemas.setdefault(name, schema | {"title": name})
            holder[key] = {"$ref": REF + name}
        elif name := enumerations.get(tuple(schema.get("enum", ())), ""):
            rest = {key: value for key, value in schema.items() if key not in ("type", "enum")}
            holder[key] = {"$ref": REF + name, **rest}
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _inner_places(schemas: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    for schema in schemas.values():
        yield from _places(schema)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where schemas are inside the value, the innermost first. Those of fields and parameters lose their title.

    Pydantic and FastAPI make these titles from the names, so they contain nothing more.
    """
    if isinstance(value, dict):
        for field in value.get("properties", {}).values():
            field.pop("title", None)
        if "in" in value and isinstance(value.get("schema"), dict):
            value["schema"].pop("title", None)
        inner = [(key, one) for key, one in value.items() if key not in EXAMPLES]
    elif isinstance(value, list | tuple):
        inner = list(enumerate(value))
    else:
        return
    for key, one in inner:
        yield from _places(one)
        if isinstance(one, dict):
            yield value, key
