"""Runs the receivers of examples/webhooks, and sends signed events to them."""

import json
import os
import queue
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from standardwebhooks.webhooks import Webhook

from serving import ROOT, free_port

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
COMMANDS = {
    "receiver.py": [sys.executable],
    "receiver.mjs": ["node"],
}


@contextmanager
def receiving(name):
    """Run a receiver, and yield its URL and the lines that it prints."""
    port, env = free_port(), {**os.environ, "WEBHOOK_SECRET": KEY}
    command = [*COMMANDS[name], str(ROOT / "examples" / "webhooks" / name), str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        lines = queue.Queue()
        reading = threading.Thread(target=lambda: [lines.put(line.strip()) for line in process.stdout])
        reading.start()
        try:
            assert lines.get(timeout=20) == "ready"
            yield f"http://127.0.0.1:{port}/", lines
        finally:
            process.terminate()
            reading.join()


def send(url, body, *, at=None, webhook_id=None, key=KEY, changed=None):
    webhook_id, at = webhook_id or str(uuid4()), at or datetime.now(UTC)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(webhook_id, at, body),
    }
    request = urllib.request.Request(url, (changed or body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def event(sequence):
    data = {"reward_id": "r-1"}
    return json.dumps(
        {"type": "reward.approved", "timestamp": "2026-11-29", "sequence": sequence, "data": data}
    )


def check(name):
    """Check that a receiver verifies signatures, refuses old ones, and handles an event once."""
    with receiving(name) as (url, lines):
        assert send(url, event(1), webhook_id="one") == 204
        assert send(url, event(1), webhook_id="one") == 204
        assert send(url, event(2), key="whsec_" + "A" * 43 + "=") == 400
        assert send(url, event(3), changed=event(4)) == 400
        assert send(url, event(5), at=datetime(2026, 1, 1, tzinfo=UTC)) == 400
        assert send(url, event(6)) == 204
        handled = [lines.get(timeout=10).split()[:2] for _ in range(2)]

    assert handled == [["reward.approved", "1"], ["reward.approved", "6"]]
    assert lines.empty()
