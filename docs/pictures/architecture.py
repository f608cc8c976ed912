"""Draw the layers of gofer: python docs/pictures/architecture.py writes architecture.svg.

The boxes are packages and modules of src/gofer. `tests/test_docs.py` fails when the file is not
what this draws.
"""

from html import escape
from pathlib import Path

FILE = Path(__file__).with_suffix(".svg")

WIDTH = 760
LEFT = 20
LAYER_HEIGHT = 84
GAP = 34
BOX_GAP = 10

INK = "#24292f"
FAINT = "#6e7781"
PAPER = "#ffffff"
LAYERS = (
    # name, what it does, colour, boxes
    ("faces", "what a user calls", "#ddf4ff",
     ("sessions", "aio", "api", "bulk", "listening", "websocket", "cli", "dropin", "client")),
    ("stages", "what happens around an exchange", "#dafbe1",
     ("redirects", "answer hooks", "cookies", "auth", "wire hooks", "retries")),
    ("network", "from a route to an exchange", "#fff8c5",
     ("exchange", "routes", "pool", "dial", "tls", "http1", "http2", "http3")),
    ("messages and runtimes", "no I/O and no clock; only the runtime waits", "#ffeff7",
     ("messages", "codings", "protocols", "runtime")),
    ("settings", "what every module may name", "#f6f8fa", ("config", "timeouts", "exceptions")),
)  # fmt: skip


def draw() -> str:
    """The picture as SVG."""
    height = len(LAYERS) * (LAYER_HEIGHT + GAP) - GAP + 2 * LEFT
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif">',
        "<title>The layers of gofer; imports go down only</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    top = LEFT
    for index, layer in enumerate(LAYERS):
        if index:
            parts.append(arrow(top - GAP, top))
        parts += draw_layer(top, *layer)
        top += LAYER_HEIGHT + GAP
    return "\n".join([*parts, "</svg>", ""])


def draw_layer(top: int, name: str, meaning: str, colour: str, boxes: tuple[str, ...]) -> list[str]:
    """A layer with its name above its boxes."""
    inside = WIDTH - 2 * LEFT
    width = (inside - 2 * BOX_GAP - (len(boxes) - 1) * BOX_GAP) / len(boxes)
    words = (
        f'<tspan font-weight="600">{escape(name)}</tspan>'
        f'<tspan dx="10" fill="{FAINT}">{escape(meaning)}</tspan>'
    )
    parts = [
        rectangle(LEFT, top, inside, LAYER_HEIGHT, colour),
        f'<text x="{LEFT + BOX_GAP}" y="{top + 22}" font-size="14" fill="{INK}">{words}</text>',
    ]
    for index, box in enumerate(boxes):
        x = LEFT + BOX_GAP + index * (width + BOX_GAP)
        parts.append(rectangle(x, top + 34, width, LAYER_HEIGHT - 46, PAPER))
        parts.append(
            f'<text x="{x + width / 2:g}" y="{top + 58}" font-size="13" fill="{INK}"'
            f' text-anchor="middle">{escape(box)}</text>'
        )
    return parts


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"'
        f' fill="{colour}" stroke="{FAINT}" stroke-width="0.8"/>'
    )


def arrow(top: int, bottom: int) -> str:
    """Imports go this way."""
    middle = WIDTH // 2
    return (
        f'<path d="M{middle} {top + 5}V{bottom - 9}m-5 0h10l-5 7z" stroke="{FAINT}"'
        f' stroke-width="1.2" fill="{FAINT}"/>'
    )


def main() -> None:
    FILE.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
