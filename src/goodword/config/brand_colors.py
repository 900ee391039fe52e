"""The colours of the pages, derived from the one colour of the brand.

Hue and chroma stay those of the brand. The lightness is changed in OKLCH, where equal steps look equal, until text in
the colour and text on it have a contrast of 4.5:1 (WCAG 2.2, success criterion 1.4.3) in both themes.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coloraide import Color

DEFAULT = "#2a6247"
"""The accent color of `style.css`."""
CONTRAST = 4.5
STEP = 0.01
HOVER = 0.06
"""The difference in lightness between a button and the same button under the pointer."""
LIGHT_GROUND, LIGHT_TEXT = "#f4f6f4", "#ffffff"
DARK_GROUND, DARK_TEXT = "#1b231f", "#0d1a13"
"""Of the two grounds of a theme in `style.css` the one with less contrast, and the text on a button."""
DEFAULT_PALETTE: Mapping[str, tuple[str, str]] = {
    "accent": (DEFAULT, "#7cc9a0"),
    "accent-hover": ("#1d4c36", "#93dcb5"),
    "on-accent": (LIGHT_TEXT, DARK_TEXT),
}
"""The colours of `style.css`, in light and in dark mode."""


def stylesheet(brand_color: str) -> str:
    """Return the rules that replace the accent colours of `style.css`. `brand_color` is `#rrggbb`."""
    light, dark = (
        "".join(f"--{name}: {pair[theme]}; " for name, pair in palette(brand_color).items())
        for theme in (0, 1)
    )
    return f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"


def palette(brand_color: str | None) -> Mapping[str, tuple[str, str]]:
    """Return the accent colours in light and in dark mode, by the names of their variables in `style.css`."""
    if brand_color is None:
        return DEFAULT_PALETTE
    light = _accents(brand_color, LIGHT_GROUND, LIGHT_TEXT, -STEP)
    dark = _accents(brand_color, DARK_GROUND, DARK_TEXT, STEP)
    return {name: (light[name], dark[name]) for name in DEFAULT_PALETTE}


@cache
def readable(brand_color: str | None) -> str:
    """Return the color for text on white, and for a ground under white text, as `#rrggbb`."""
    return DEFAULT if brand_color is None else _hex(_contrasting(brand_color, LIGHT_GROUND, -STEP))


def _accents(brand_color: str, ground: str, text: str, step: float) -> Mapping[str, str]:
    accent = _contrasting(brand_color, ground, step)
    hover = accent.clone()
    hover["lightness"] += HOVER * (1 if step > 0 else -1)
    return {"accent": _hex(accent), "accent-hover": _hex(hover), "on-accent": text}


def _contrasting(brand_color: str, ground: str, step: float) -> "Color":
    from coloraide import Color  # only a service with a colour of its own needs it

    color = Color(brand_color).convert("oklch")
    while Color(_hex(color)).contrast(ground) < CONTRAST:
        color["lightness"] += step
    return color


def _hex(color: "Color") -> str:
    """Return the nearest colour that screens show."""
    shown = color.clone().fit("srgb", method="oklch-chroma").convert("srgb")
    text: str = shown.to_string(hex=True)
    return text
