"""Draws a rule's picture as SVG: a few kilobytes of text that suit light and dark pages and carry what they show."""

from __future__ import annotations

import io
import json
import re
import textwrap
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator
from picture import Curve, Picture

SVG = "{http://www.w3.org/2000/svg}"
PAPER, INK, FAINT, WRITTEN, REPAIRED = "#ffffff", "#1f2328", "#d0d7de", "#bc4c00", "#0969da"
DARK = {PAPER: "#0d1117", INK: "#e6edf3", FAINT: "#3d444d", WRITTEN: "#ffa657", REPAIRED: "#79c0ff"}
_SETTINGS: Any = {
    "svg.hashsalt": "gradlint",
    "svg.fonttype": "none",  # text stays text: it can be read out, searched and set in the page's own font
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "path.simplify": False,
}
_STROKE: dict[str, Any] = {"markeredgewidth": 1.3, "zorder": 3}
_SOLID: dict[str, Any] = {"color": REPAIRED, "linestyle": "-", "linewidth": 2.4, "markersize": 6, "markerfacecolor": REPAIRED}
_DASHED: dict[str, Any] = {
    "color": WRITTEN,
    "linestyle": (0, (4, 2)),
    "linewidth": 1.7,
    "markersize": 4,
    "markerfacecolor": PAPER,
}
"""Narrower, and drawn later: where the runs agree, both can be seen."""
_LEGEND: dict[str, Any] = {"frameon": False, "borderaxespad": 0.2, "borderpad": 0, "handlelength": 2.8}


def draw(picture: Picture) -> str:
    """The SVG of a picture: the same text wherever the same matplotlib draws it."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.6, 3.5), layout="constrained", facecolor=PAPER)
        FigureCanvasSVG(figure)
        _plot(figure.add_subplot(facecolor=PAPER), picture)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _finished(text.getvalue(), picture)


def embedded(svg: str) -> dict[str, Any]:
    """The data that a picture carries."""
    found = ElementTree.fromstring(svg).find(f"{SVG}metadata")
    return dict(json.loads(found.text or "")) if found is not None else {}


def _plot(axes: Axes, picture: Picture) -> None:
    if picture.log:
        axes.set_yscale("log")
    line = _stems if picture.kind == "stems" else _line
    repaired, written = line(axes, picture, picture.repaired, **_SOLID), line(axes, picture, picture.written, **_DASHED)
    handles, labels = [written, repaired], ["before the fix", "after the fix"]
    if picture.bound is not None:
        handles.append(axes.axhline(picture.bound, color=INK, linewidth=1.2, linestyle=":", zorder=1))
        labels.append("the clip's bound")
    _axes(axes, picture)
    axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, **_LEGEND)


def _axes(axes: Axes, picture: Picture) -> None:
    values, last = (*picture.written.y, *picture.repaired.y), max(*picture.written.x, *picture.repaired.x)
    low, high = min(values), max(values)
    if not picture.log:
        low = min(low, 0.0) if picture.zero else low
        axes.set_ylim(low - 0.04 * (high - low), high + 0.08 * (high - low))
    if all(value == round(value) for value in values):
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MultipleLocator(1 if last <= 12 else 4))
    for end in range(picture.windows, int(last), picture.windows) if picture.windows else ():
        axes.axvline(end + 0.5, color=FAINT, linewidth=1.2, zorder=0)
    axes.set_title(picture.title, loc="left", fontsize=11, fontweight="bold", pad=26)
    axes.set_xlabel(picture.x)
    axes.set_ylabel(picture.y)
    axes.grid(axis="y", color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _line(axes: Axes, picture: Picture, curve: Curve, **style: Any) -> Line2D:
    stairs = picture.kind == "stairs"
    shape: dict[str, Any] = {"marker": "" if stairs else "o", "drawstyle": "steps-post" if stairs else "default"}
    (line,) = axes.plot(curve.x, curve.y, **_STROKE, **shape, **style)
    if curve.stopped:
        axes.plot(curve.x[-1], curve.y[-1], marker="X", markersize=10, color=style["color"], linestyle="", zorder=4)
        axes.annotate(
            textwrap.fill(curve.stopped, 38),
            (curve.x[-1], curve.y[-1]),
            xytext=(0.99, 0.06 if stairs else 0.95),
            textcoords="axes fraction",
            horizontalalignment="right",
            verticalalignment="bottom" if stairs else "top",
            color=style["color"],
            arrowprops={"arrowstyle": "-", "color": style["color"], "linewidth": 0.8, "shrinkB": 8, "relpos": (0, 0.5)},
        )
    return line


def _stems(axes: Axes, picture: Picture, curve: Curve, **style: Any) -> Line2D:
    """Beside each other where both runs have one."""
    aside = -0.12 if curve is picture.written else 0.12
    x = [at + aside for at in curve.x]
    axes.vlines(x, 0, curve.y, zorder=2, **{name: style[name] for name in ("color", "linestyle", "linewidth")})
    axes.plot(x, curve.y, marker="o", **_STROKE, **style | {"linestyle": ""})
    return Line2D([], [], marker="o", **_STROKE, **style)


def _finished(svg: str, picture: Picture) -> str:
    """With title, description, data, and the colours of a dark page."""
    svg = re.sub(r"^<\?xml.*?(?=<svg)", "", svg, flags=re.S)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)  # hundredths of a point are enough
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", re.sub(r"^\s+|\s+$", "", svg, flags=re.M))
    svg = re.sub(r'\n(?=[A-Z] [\d-]|z|")', " ", svg)
    data = json.dumps(picture.data | {"matplotlib": matplotlib.__version__}, ensure_ascii=False)
    rules = "".join(
        f'[style*="{name}: {light}"] {{ {name}: {dark} !important }}\n'
        for light, dark in DARK.items()
        for name in ("fill", "stroke")
    )
    head = (
        f'<title id="title">{escape(picture.title)}</title>\n<desc id="desc">{escape(picture.alt)}</desc>\n'
        f"<metadata>{escape(data)}</metadata>\n<style>\n@media (prefers-color-scheme: dark) {{\n{rules}}}\n</style>\n"
    )
    return re.sub(
        r"<svg ([^>]*)>\n", lambda m: f'<svg role="img" aria-labelledby="title desc" {m.group(1)}>\n{head}', svg, count=1
    )
