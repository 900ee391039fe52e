"""Draw the sequence of calls between a product and Goodword: `make pictures`."""

from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
LANES = ("Alice", "Bob, her friend", "Acme’s server", "Goodword")
ALICE, BOB, ACME, GOODWORD = range(4)
WIDTH, LANE, TOP, STEP = 960, 250, 96, 46
STEPS = (
    "Alice is a user of Acme, and gets a link",
    (ACME, GOODWORD, "PUT /participants/alice"),
    (GOODWORD, ACME, "her code and her link"),
    (ALICE, ACME, "opens “Refer friends”"),
    (ACME, GOODWORD, "POST /participants/alice/tokens"),
    (ACME, ALICE, "page with <goodword-referral token=…>"),
    (ALICE, GOODWORD, "the embed reads her code and her referrals"),
    "She sends the link to Bob, who signs up",
    (ALICE, BOB, "/r/7KQ2M9XWPA"),
    (BOB, GOODWORD, "follows the link: a touch"),
    (GOODWORD, BOB, "302 to Acme, ?ref=7KQ2M9XWPA&touch=…"),
    (BOB, ACME, "signs up, with the code"),
    (ACME, GOODWORD, "PUT /participants/bob, with code"),
    (GOODWORD, ACME, "201, referral: by Alice"),
    "Bob buys something, and Alice gets a credit",
    (BOB, ACME, "orders for 49.90"),
    (ACME, GOODWORD, "POST /events, purchase by bob"),
    (GOODWORD, ACME, "webhook reward.approved: 4.99 for alice"),
)
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }
.lane { font-weight: 600; } .part { font-style: italic; fill: #59636e; } .answer { stroke-dasharray: 6 4; }
.ground, .plate { fill: #ffffff; } .ground { stroke: #d1d9e0; } .head { fill: #eef2f6; stroke: #d1d9e0; }
.life { stroke: #d1d9e0; stroke-width: 2; } .call { stroke: #0550ae; stroke-width: 2; } .tip { fill: #0550ae; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .part { fill: #9198a1; } .ground, .plate { fill: #0d1117; } .ground { stroke: #3d444d; }
  .head { fill: #212830; stroke: #3d444d; } .life { stroke: #3d444d; } .call { stroke: #79c0ff; } .tip { fill: #79c0ff; }
}
"""
TIP = '<marker id="tip" markerUnits="userSpaceOnUse" markerWidth="11" markerHeight="11" refX="10" refY="5.5" orient="auto"><path class="tip" d="M0 0 11 5.5 0 11z"/></marker>'


def middle(lane: int) -> int:
    return (WIDTH - 3 * LANE) // 2 + lane * LANE


def plate(x: float, y: float, text: str, style: str) -> str:
    """Draw a text on a plate of the background, so that no line runs through it."""
    width = 7 * len(text) + 8
    box = f'<rect class="plate" x="{x - width / 2}" y="{y - 14}" width="{width}" height="19"/>'
    return f'{box}<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'


def arrow(y: int, start: int, end: int, text: str) -> str:
    left, right = middle(start), middle(end)
    gap = 4 if start < end else -4
    style = "call answer" if start == GOODWORD or (start, end) == (ACME, ALICE) else "call"
    line = f'<line class="{style}" x1="{left}" y1="{y}" x2="{right - gap}" y2="{y}" marker-end="url(#tip)"/>'
    return plate((left + right) / 2, y - 9, text, "") + line


height = TOP + STEP * len(STEPS)
drawn = [f'<rect class="ground" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8"/>']
for lane, name in enumerate(LANES):
    x = middle(lane)
    drawn.append(f'<line class="life" x1="{x}" y1="56" x2="{x}" y2="{height - 16}"/>')
    drawn.append(f'<rect class="head" x="{x - 85}" y="20" width="170" height="36" rx="6"/>')
    drawn.append(f'<text class="lane" x="{x}" y="43">{name}</text>')
for number, step in enumerate(STEPS):
    y = TOP + STEP * number
    drawn.append(plate(WIDTH / 2, y, step, "part") if isinstance(step, str) else arrow(y, *step))
(HERE / "sequence.svg").write_text(
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    f"<title>What a product and Goodword tell each other</title><style>{STYLE}</style><defs>{TIP}</defs>\n"
    + "\n".join(drawn)
    + "\n</svg>\n"
)
