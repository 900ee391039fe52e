"""Texts of the audit page for actions, subjects and actors."""

from collections.abc import Mapping

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.languages import to_translate

ACTIONS: Mapping[str, str] = {
    Action.USER_REGISTERED: to_translate("Account created"),
    Action.USER_CHANGED: to_translate("Name or language changed"),
    Action.USER_PROMOTED: to_translate("Administrator rights granted"),
    Action.USER_DEMOTED: to_translate("Administrator rights revoked"),
    Action.USER_DISABLED: to_translate("Account disabled"),
    Action.USER_ENABLED: to_translate("Account enabled"),
    Action.USER_ERASED: to_translate("User erased"),
    Action.USER_MERGED: to_translate("Became one with a reported participant"),
    Action.USER_EXPORTED: to_translate("Personal data exported"),
    Action.USER_VIEWED: to_translate("User viewed by an administrator"),
    Action.USER_TAKEN_OVER: to_translate("Unconfirmed account taken over by the owner of the address"),
    Action.USERS_SEARCHED: to_translate("Users searched by an administrator"),
    Action.DATA_EXPORTED: to_translate("Users, codes and referrals exported"),
    Action.DATA_IMPORTED: to_translate("Users, codes and referrals imported"),
    Action.LIST_EXPORTED: to_translate("List downloaded by an administrator"),
    Action.SESSION_STARTED: to_translate("Sign-in"),
    Action.SESSION_ENDED: to_translate("Sign-out"),
    Action.SESSIONS_ENDED: to_translate("Several sessions revoked"),
    Action.SESSION_REPLAYED: to_translate("Refresh token reused: session revoked"),
    Action.SIGN_IN_LOCKED: to_translate("Sign-in paused after wrong passwords"),
    Action.PASSWORD_CHANGED: to_translate("Password changed"),
    Action.PASSWORD_RESET: to_translate("Password reset by e-mail"),
    Action.EMAIL_CHANGE_ASKED: to_translate("Change of address requested"),
    Action.EMAIL_CHANGED: to_translate("Address changed"),
    Action.EMAIL_VERIFIED: to_translate("Address confirmed"),
    Action.EMAIL_CHECKED: to_translate("E-mail address checked"),
    Action.EMAIL_REQUESTED: to_translate("E-mail requested"),
    Action.EMAILS_UNSUBSCRIBED: to_translate("Unsubscribed from invitations"),
    Action.TOKEN_SENT: to_translate("E-mail with a link sent"),
    Action.CODE_ISSUED: to_translate("Code created"),
    Action.CODE_ACTIVATED: to_translate("Code activated"),
    Action.CODE_CHANGED: to_translate("Code changed"),
    Action.CODE_RETIRED: to_translate("Code retired"),
    Action.REFERRAL_MADE: to_translate("Referral created"),
    Action.REFERRAL_CONFIRMED: to_translate("Referral confirmed"),
    Action.REFERRAL_ACCEPTED: to_translate("Referral accepted after a review"),
    Action.REFERRAL_REJECTED: to_translate("Referral rejected"),
    Action.REFERRAL_REFUSED: to_translate("Referral code or link refused"),
    Action.IDENTITY_LINKED: to_translate("Sign-in provider linked"),
    Action.IDENTITIES_UNLINKED: to_translate("Sign-in providers unlinked"),
    Action.PROFILE_STORED: to_translate("Public profile saved"),
    Action.GRANT_GIVEN: to_translate("Access granted to an app"),
    Action.GRANT_REVOKED: to_translate("Access of an app revoked"),
    Action.CLIENT_MADE: to_translate("App registered"),
    Action.CLIENT_SECRET_ROTATED: to_translate("Secret of an app replaced"),
    Action.CLIENT_DISABLED: to_translate("App disabled"),
    Action.PROGRAM_CREATED: to_translate("Program created"),
    Action.PROGRAM_CHANGED: to_translate("Program changed"),
    Action.API_KEY_CREATED: to_translate("API key created"),
    Action.API_KEY_REVOKED: to_translate("API key revoked"),
    Action.KEYS_ROTATED: to_translate("Signing keys replaced"),
    Action.JOBS_RETRIED: to_translate("Jobs retried"),
    Action.JOBS_DISCARDED: to_translate("Jobs discarded"),
}

SUBJECTS: Mapping[str, str] = {
    Subject.USER: to_translate("user"),
    Subject.SESSION: to_translate("session"),
    Subject.CODE: to_translate("code"),
    Subject.REFERRAL: to_translate("referral"),
    Subject.PROGRAM: to_translate("program"),
    Subject.CLIENT: to_translate("app"),
    Subject.KEY: to_translate("signing key"),
    Subject.API_KEY: to_translate("API key"),
    Subject.JOB: to_translate("job"),
    Subject.NONE: to_translate("no account"),
}

ACTORS: Mapping[str, str] = {
    Actor.USER: to_translate("a signed-in user"),
    Actor.SERVER: to_translate("a server"),
    Actor.OPERATOR: to_translate("the operator"),
    Actor.SYSTEM: to_translate("the service itself"),
    Actor.ANONYMOUS: to_translate("a visitor"),
}
