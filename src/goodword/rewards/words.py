"""Why a rule makes no reward, in plain words."""

from collections.abc import Mapping

from goodword.events.schemas import NotRewardedReason
from goodword.languages import to_translate

TEXTS: Mapping[NotRewardedReason, str] = {
    NotRewardedReason.PROGRAM_NOT_ACTIVE: to_translate("The program is not running now."),
    NotRewardedReason.NOT_REFERRED: to_translate("The person was not referred in this program."),
    NotRewardedReason.REFERRAL_REJECTED: to_translate("The referral was rejected."),
    NotRewardedReason.BENEFICIARY_NOT_ACTIVE: to_translate(
        "The person who would get the reward is disabled or erased."
    ),
    NotRewardedReason.REGISTERED_BEFORE: to_translate(
        "The same person was referred in this program before, and was erased."
    ),
    NotRewardedReason.OUTSIDE_PERIOD: to_translate("The event is outside the period of the rule."),
    NotRewardedReason.BEFORE_SIGN_UP: to_translate("The event happened before the person signed up."),
    NotRewardedReason.TOO_LATE: to_translate("The person signed up too long ago."),
    NotRewardedReason.AMOUNT_MISSING: to_translate("The event has no amount."),
    NotRewardedReason.CURRENCY_MISMATCH: to_translate("The program has another currency."),
    NotRewardedReason.BELOW_MINIMUM: to_translate("The amount is smaller than the rule requires."),
    NotRewardedReason.MAX_EVENTS_REACHED: to_translate(
        "The person had as many events of this type as the rule counts."
    ),
    NotRewardedReason.REFUNDED: to_translate("The event was refunded."),
    NotRewardedReason.NO_TIER: to_translate("The referrer has too few confirmed referrals."),
    NotRewardedReason.AMOUNT_ZERO: to_translate("The share of the amount is rounded to zero."),
    NotRewardedReason.CAP_REACHED: to_translate("The referrer has as many rewards as the rule allows."),
    NotRewardedReason.COUPONS_USED_UP: to_translate("The rule has no free coupon left."),
}
