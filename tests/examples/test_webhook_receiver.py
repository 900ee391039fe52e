"""The receiver of webhooks in Python, in examples/."""

from webhooks.example_receivers import check


def test_e83_the_receiver_in_python_verifies_signatures_and_handles_an_event_once():
    check("receiver.py")
