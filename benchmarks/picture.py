"""Throughput against how many are open at a time, as SVG: docs/pictures/many.svg."""

import math
from html import escape

__all__ = ["Line", "draw"]

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 40, 50  # margins; names stand to the right
INK, FAINT, PAPER = "#24292f", "#6e7781", "#ffffff"
OURS = ["#0969da", "#8250df", "#1b7c83"]
PEERS = ["#cf222e", "#bc4c00", "#9a6700", "#57606a", "#8c959f", "#afb8c1"]
NAME_HEIGHT = 15


class Line:
    """A client's name and its points: (open at a time, requests a second)."""

    def __init__(self, name: str, is_ours: bool) -> None:
        self.name = name
        self.is_ours = is_ours
        self.points: list[tuple[int, float]] = []


def draw(lines: list[Line], sizes: list[int]) -> str:
    """The picture. Sizes are spaced by their logarithm, throughput is not."""
    highest = max((rate for line in lines for _, rate in line.points), default=1.0)
    step = 10 ** math.floor(math.log10(highest))
    step = step if highest / step > 4 else step / 2
    top = math.ceil(highest / step) * step

    def x(size: int) -> float:
        span = math.log(sizes[-1] / sizes[0])
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / sizes[0]) / span

    def y(rate: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / top

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="system-ui, sans-serif">',
        "<title>Requests a second against how many are open at a time</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        _text(LEFT, 22, "requests a second, small JSON, one processor for the client", 13),
        _text(LEFT, HEIGHT - 12, "open at a time"),
    ]
    for number in range(round(top / step) + 1):
        height = y(number * step)
        right = WIDTH - RIGHT
        parts.append(f'<path d="M{LEFT} {height:.1f}H{right}" stroke="#d0d7de"/>')
        parts.append(_text(LEFT - 8, height + 4, f"{number * step:,.0f}", anchor="end"))
    foot = HEIGHT - BOTTOM + 18
    parts += [_text(x(size), foot, f"{size:,}", anchor="middle") for size in sizes]
    ours, peers = iter(OURS), iter(PEERS)
    lowest = math.inf  # names go from the bottom up, none over another
    for line in sorted(lines, key=lambda line: line.points[-1][1]):
        colour = next(ours if line.is_ours else peers, INK)
        path = "L".join(f"{x(size):.1f} {y(rate):.1f}" for size, rate in line.points)
        width = 2.4 if line.is_ours else 1.4
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        lowest = min(y(line.points[-1][1]) + 4, lowest - NAME_HEIGHT)
        parts.append(_text(x(line.points[-1][0]) + 8, lowest, line.name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float, y: float, words: str, size: int = 12, *, anchor: str = "start", colour: str = FAINT
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"'
        f' text-anchor="{anchor}">{escape(words)}</text>'
    )
