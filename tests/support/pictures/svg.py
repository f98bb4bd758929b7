"""Drawings as SVG text: boxes, arrows and words in one of two looks. Pure; no library, nothing fetched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

#: What every system has; the pictures bring no font.
_SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI',Helvetica,Arial,sans-serif"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


@dataclass(frozen=True)
class Look:
    """The colours of one mode of the reader's screen."""

    name: str
    ink: str
    faint: str
    line: str
    #: Fill and border, by the part that a box plays.
    tones: dict[str, tuple[str, str]]


LIGHT = Look(
    "light",
    ink="#1f2328",
    faint="#59636e",
    line="#6e7781",
    tones={
        "plain": ("#ffffff", "#8c959f"),
        "group": ("#f6f8fa", "#d1d9e0"),
        "code": ("#eef4ff", "#7aa5e0"),
        "audit": ("#fff3e0", "#d9822b"),
        "tracing": ("#e6f6f4", "#2f9e8f"),
        "refused": ("#fdecee", "#cf5f6b"),
        "bar": ("#7aa5e0", "#7aa5e0"),
        "best": ("#2f9e8f", "#2f9e8f"),
    },
)
DARK = Look(
    "dark",
    ink="#e6edf3",
    faint="#9198a1",
    line="#848d97",
    tones={
        "plain": ("#161b22", "#656c76"),
        "group": ("#12161c", "#30363d"),
        "code": ("#14243d", "#4a7bbf"),
        "audit": ("#33230f", "#c77a2e"),
        "tracing": ("#0f2c2a", "#2f9e8f"),
        "refused": ("#361a1f", "#b8545f"),
        "bar": ("#3f6ca8", "#3f6ca8"),
        "best": ("#2f9e8f", "#2f9e8f"),
    },
)
LOOKS = (LIGHT, DARK)


@dataclass(frozen=True)
class Box:
    """Where a box is; arrows begin and end at its sides."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def top(self, at: float = 0.5) -> tuple[float, float]:
        return self.x + self.width * at, self.y

    def bottom(self, at: float = 0.5) -> tuple[float, float]:
        return self.x + self.width * at, self.y + self.height

    def left(self, at: float = 0.5) -> tuple[float, float]:
        return self.x, self.y + self.height * at

    def right(self, at: float = 0.5) -> tuple[float, float]:
        return self.x + self.width, self.y + self.height * at


@dataclass
class Drawing:
    """A picture that grows part by part."""

    title: str
    width: int
    height: int
    look: Look
    parts: list[str] = field(default_factory=list)

    def box(self, box: Box, tone: str = "plain", *, rounded: int = 6) -> Box:
        fill, border = self.look.tones[tone]
        self.parts.append(
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{rounded}" '
            f'fill="{fill}" stroke="{border}"/>'
        )
        return box

    def words(
        self,
        place: tuple[float, float],
        text: str,
        style: str = "",
        anchor: str = "middle",
        colour: str | None = None,
    ) -> None:
        """One line; ``style`` is any of ``bold``, ``small``, ``tiny``, ``code`` and ``faint``."""
        kind = f' class="{style}"' if style else ""
        end = "" if anchor == "start" else f' text-anchor="{anchor}"'
        fill = f' fill="{colour}"' if colour else ""
        self.parts.append(
            f'<text x="{place[0]:g}" y="{place[1]:g}"{kind}{end}{fill}>{escape(text, quote=False)}</text>'
        )

    def labelled(self, box: Box, lines: Sequence[str | tuple[str, str]], tone: str = "plain") -> Box:
        """A box with lines in its middle, each a text or a text with its style; the first is bold by itself."""
        self.box(box, tone)
        x, y = box.middle
        y -= (len(lines) - 1) * 9
        for number, line in enumerate(lines):
            text, style = line if isinstance(line, tuple) else (line, "small faint" if number else "bold")
            self.words((x, y + 4.5 + 18 * number), text, style)
        return box

    def arrow(self, *points: tuple[float, float], dashed: bool = False, label: str = "") -> None:
        """A line through the points with its head at the last; the label stands beside its middle."""
        way = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{way}" class="way"{dash} marker-end="url(#head)"/>')
        if label:
            (x, y), (to_x, to_y) = points[-2:]
            upright = x == to_x
            place = (x + 6, (y + to_y) / 2 + 4) if upright else ((x + to_x) / 2, y - 6)
            self.words(place, label, "small faint", "start" if upright else "middle")

    def text(self) -> str:
        look = self.look
        style = (
            f"text{{font:14px {_SANS};fill:{look.ink}}}.bold{{font-weight:600;font-size:13.5px}}"
            f".small{{font-size:12px}}.tiny{{font-size:10.5px}}"
            f".faint{{fill:{look.faint}}}.code{{font-family:{_MONO};font-size:12.5px}}"
            f".way{{fill:none;stroke:{look.line};stroke-width:1.4}}"
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" aria-label="{escape(self.title)}">',
                f"<style>{style}</style>",
                '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
                f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{look.line}"/></marker>',
                *self.parts,
                "</svg>\n",
            ]
        )
