"""The groups of operations in the OpenAPI document, in their order."""

TAGS = [
    {"name": "Registration", "description": "Create an account, with or without a referral code."},
    {"name": "Sessions", "description": "Sign in, refresh tokens, sign out."},
    {"name": "Your referral codes", "description": "Create, prepare, activate and delete your codes."},
    {"name": "Looking up a code", "description": "Find a code, and check whether it is valid."},
    {"name": "Referrals", "description": "List the users who registered with your codes."},
    {
        "name": "Invitations",
        "description": "Invite friends by e-mail. Recipients can unsubscribe.",
    },
    {"name": "Your account", "description": "Read, change, export and delete your data."},
    {"name": "Checking an address", "description": "Check whether an address can receive e-mail."},
    {
        "name": "Address and password",
        "description": "Verify, change and recover your e-mail address and password.",
    },
    {
        "name": "Authorized apps",
        "description": "Tokens for apps that act for a user, and token introspection (OAuth 2.0, OpenID Connect).",
    },
    {
        "name": "Participants",
        "description": "For the server of a product: report its users, and get their codes and referrals.",
    },
    {
        "name": "Reward rules",
        "description": "What events earn. For the servers of a product, and for administrators.",
    },
    {
        "name": "Events",
        "description": "For the server of a product: report what participants did, and get what it earned.",
    },
    {"name": "Rewards", "description": "What people earned, and its steps from pending to paid."},
    {
        "name": "Review",
        "description": "Referrals that are held because of their risk. For the servers of a product, and for administrators.",
    },
    {"name": "Administration", "description": "For administrators. Other users get 404."},
    {
        "name": "Programs",
        "description": "The terms of referral programs. For the servers of a product, and for administrators.",
    },
    {
        "name": "Webhooks",
        "description": "Signed requests to the servers of a product, when something has happened.",
    },
    {"name": "Health", "description": "Probes for operators."},
]
