"""The receiver of webhooks in JavaScript, in examples/, which needs Node.js."""

from webhooks.example_receivers import check


def test_e83_the_receiver_in_javascript_verifies_signatures_and_handles_an_event_once():
    check("receiver.mjs")
