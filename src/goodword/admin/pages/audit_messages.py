"""Texts of the audit page for actions, subjects and actors."""

from collections.abc import Mapping

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.languages import to_translate

ACTIONS: Mapping[str, str] = {
    Action.USER_REGISTERED: to_translate("Account made"),
    Action.USER_CHANGED: to_translate("Name or language changed"),
    Action.USER_PROMOTED: to_translate("Made an administrator"),
    Action.USER_DEMOTED: to_translate("No administrator any more"),
    Action.USER_DISABLED: to_translate("Account disabled"),
    Action.USER_ENABLED: to_translate("Account enabled"),
    Action.USER_ERASED: to_translate("Person erased"),
    Action.USER_EXPORTED: to_translate("Own data exported"),
    Action.USER_VIEWED: to_translate("Person looked at by an administrator"),
    Action.USER_TAKEN_OVER: to_translate("Unverified account taken over by the owner of its address"),
    Action.USERS_SEARCHED: to_translate("People read_search by an administrator"),
    Action.SESSION_STARTED: to_translate("Sign-in"),
    Action.SESSION_ENDED: to_translate("Sign-out"),
    Action.SESSIONS_ENDED: to_translate("Sign-out in several places"),
    Action.SESSION_REPLAYED: to_translate("Used-up refresh token shown again: the session was ended"),
    Action.SIGN_IN_LOCKED: to_translate("Sign-in locked for a while after wrong passwords"),
    Action.PASSWORD_CHANGED: to_translate("Password changed"),
    Action.PASSWORD_RESET: to_translate("New password set by a letter"),
    Action.EMAIL_CHANGE_ASKED: to_translate("Change of the address asked for"),
    Action.EMAIL_CHANGED: to_translate("Address changed"),
    Action.EMAIL_VERIFIED: to_translate("Address verified"),
    Action.EMAIL_CHECKED: to_translate("Some address checked"),
    Action.EMAIL_REQUESTED: to_translate("Letter asked for"),
    Action.EMAILS_UNSUBSCRIBED: to_translate("Letters from friends refused for good"),
    Action.TOKEN_SENT: to_translate("Letter with a link sent"),
    Action.CODE_ISSUED: to_translate("Code made"),
    Action.CODE_ACTIVATED: to_translate("Code put in force"),
    Action.CODE_CHANGED: to_translate("Code hidden or shown"),
    Action.CODE_RETIRED: to_translate("Code taken out of force"),
    Action.REFERRAL_MADE: to_translate("Somebody joined by a code"),
    Action.REFERRAL_CONFIRMED: to_translate("Referral counts: the friend’s address is verified"),
    Action.REFERRAL_REJECTED: to_translate("Referral counts no longer"),
    Action.IDENTITY_LINKED: to_translate("Account at another provider linked"),
    Action.IDENTITIES_UNLINKED: to_translate("Accounts at other providers unlinked"),
    Action.PROFILE_STORED: to_translate("Public profile found and kept"),
    Action.GRANT_GIVEN: to_translate("App let in"),
    Action.GRANT_REVOKED: to_translate("App shut out"),
    Action.CLIENT_MADE: to_translate("App set up"),
    Action.CLIENT_SECRET_ROTATED: to_translate("Secret of an app replaced"),
    Action.CLIENT_DISABLED: to_translate("App disabled"),
    Action.KEYS_ROTATED: to_translate("Signing keys replaced"),
    Action.JOBS_RETRIED: to_translate("Jobs tried again"),
    Action.JOBS_DISCARDED: to_translate("Jobs removed"),
}

SUBJECTS: Mapping[str, str] = {
    Subject.USER: to_translate("person"),
    Subject.SESSION: to_translate("session"),
    Subject.CODE: to_translate("code"),
    Subject.REFERRAL: to_translate("referral"),
    Subject.CLIENT: to_translate("app"),
    Subject.KEY: to_translate("signing key"),
    Subject.JOB: to_translate("job"),
    Subject.NONE: to_translate("no account"),
}

ACTORS: Mapping[str, str] = {
    Actor.USER: to_translate("somebody signed in"),
    Actor.OPERATOR: to_translate("the operator, by command"),
    Actor.SYSTEM: to_translate("the service itself"),
    Actor.ANONYMOUS: to_translate("somebody not signed in"),
}
