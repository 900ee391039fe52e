"""The text of a code: how it is drawn, and when two are the same."""

from collections import Counter

from goodword.codes import code_format
from sweeps import Sweep

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_drawn_codes_use_every_letter_alike():
    drawn = [code_format.generate() for _ in range(100_000)]

    assert {len(code) for code in drawn} == {10}
    assert len(set(drawn)) == len(drawn)
    for place in range(10):
        counts = Counter(code[place] for code in drawn)
        assert "".join(sorted(counts)) == ALPHABET
        # Chi-square with 31 degrees of freedom: over 120 comes once in 10¹² runs by chance.
        assert sum((count - 3125) ** 2 / 3125 for count in counts.values()) < 120


def test_drawn_codes_look_like_no_other_letters():
    assert set("ILOU").isdisjoint(code_format.ALPHABET)
    assert code_format.normalise(code_format.ALPHABET) == code_format.ALPHABET


def test_codes_are_the_same_when_people_may_mix_them_up():
    with Sweep() as sweep:
        for text, folded in [
            ("7KQ2M9XWPA", "7KQ2M9XWPA"),
            ("7kq2m9xwpa", "7KQ2M9XWPA"),
            ("7KQ2-M9XW-PA", "7KQ2M9XWPA"),
            (" 7KQ2 M9XW PA ", "7KQ2M9XWPA"),
            ("--7KQ2M9XWPA--", "7KQ2M9XWPA"),
            ("OoIiLl", "001111"),
            ("Uu-Uu", "UUUU"),
            ("abc", None),
            ("a-b-c-", None),
            ("", None),
            ("----", None),
            ("    ", None),
            ("A" * 32, "A" * 32),
            ("A-" * 32, "A" * 32),
            ("A" * 33, None),
            ("AB_CD", None),
            ("AB.CD", None),
            ("AB\tCD", None),
            ("ABCD\n", None),
            ("ABCD\x00", None),
            ("ＡＢＣＤ", None),
            ("АБВГ", None),
            ("ABCDé", None),
            ("\N{KELVIN SIGN}ATE", None),
            ("ſtop", None),
            ("ßßßß", None),
            ("①②③④", None),
            ("٤٢٤٢", None),
            ("AB\N{NON-BREAKING HYPHEN}CD", None),
        ]:
            with sweep.case(f"{text!a} {folded!a}"):
                assert code_format.normalise(text) == folded
                assert folded is None or code_format.normalise(folded) == folded
