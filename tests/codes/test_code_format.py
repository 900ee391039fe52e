"""Generation and normalisation of codes."""

from collections import Counter

from goodword.codes import code_format
from sweeps import Sweep

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_generated_codes_are_uniformly_distributed():
    codes = [code_format.generate() for _ in range(100_000)]

    assert {len(code) for code in codes} == {10}
    assert len(set(codes)) == len(codes)
    for place in range(10):
        counts = Counter(code[place] for code in codes)
        assert "".join(sorted(counts)) == ALPHABET
        # Chi-square with 31 degrees of freedom: the probability of more than 120 is 10⁻¹².
        assert sum((count - 3125) ** 2 / 3125 for count in counts.values()) < 120


def test_the_alphabet_has_no_look_alikes():
    assert set("ILOU").isdisjoint(code_format.ALPHABET)
    assert code_format.normalise(code_format.ALPHABET) == code_format.ALPHABET


def test_normalise():
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
            ("AB\tCD", "ABCD"),
            ("ABCD\n", "ABCD"),
            ("ABCD\x00", None),
            ("ＡＢＣＤ", None),
            ("АБВГ", None),
            ("ABCDé", "ABCD"),
            ("\N{KELVIN SIGN}ATE", None),
            ("ſtop", None),
            ("ßßßß", None),
            ("①②③④", None),
            ("٤٢٤٢", None),
            ("AB\N{NON-BREAKING HYPHEN}CD", "ABCD"),
            ("\N{RIGHT-TO-LEFT OVERRIDE}ABCD", None),
            ("Code: ABCD", "C0DE"),
            ("код: ABCD, жду", "ABCD"),
        ]:
            with sweep.case(f"{text!a} {folded!a}"):
                assert code_format.normalise(text) == folded
                assert folded is None or code_format.normalise(folded) == folded
