"""Pictures of what was measured, as SVG that follows the reader's light or dark scheme."""

import math
from xml.sax.saxutils import escape

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.axis { stroke: #d1d9e0 } .goal { stroke: #1f2328; stroke-dasharray: 4 3 }
.s0 { fill: #8c959f; stroke: #8c959f } .s1 { fill: #9a6700; stroke: #9a6700 } .s2 { fill: #0969da; stroke: #0969da }
.s3 { fill: #1a7f37; stroke: #1a7f37 } .s4 { fill: #cf222e; stroke: #cf222e }
polyline { fill: none !important; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .axis { stroke: #3d444d } .goal { stroke: #f0f6fc }
.s1 { fill: #d29922; stroke: #d29922 } .s2 { fill: #4493f8; stroke: #4493f8 }
.s3 { fill: #3fb950; stroke: #3fb950 } .s4 { fill: #f85149; stroke: #f85149 } }
</style>"""
WIDTH, LEFT, RIGHT = 720, 170, 90


def svg(title, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, label(10, 22, title), *parts, "</svg>"]) + "\n"


def label(x, y, text, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def bars(title, rows, goal=None):
    """Of (name, median, 99th): a bar to the median, a line on to the 99th."""
    top = max(max(p99 for _, _, p99 in rows), goal[1] if goal else 0)
    scale = (WIDTH - LEFT - RIGHT) / top
    parts = []
    for at, (name, median, p99) in enumerate(rows):
        y = 42 + at * 32
        end, far = LEFT + median * scale, LEFT + p99 * scale
        parts += [
            label(LEFT - 8, y + 15, name, "end"),
            f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="20" class="s{at % 5}"/>',
            f'<path d="M{end:.1f} {y + 10}H{far:.1f}M{far:.1f} {y + 5}v10" class="s{at % 5}"/>',
            label(far + 6, y + 15, f"{median:,.0f}", kind="small"),
        ]
    bottom = 42 + len(rows) * 32
    if goal:
        x = LEFT + goal[1] * scale
        parts += [f'<path d="M{x:.1f} 36V{bottom}" class="goal"/>', label(x, bottom + 14, goal[0], "middle", "small")]
    return svg(title, bottom + 22, parts)


def lines(title, series, x_name, goal=None):
    """Of name: [(x, y)], both axes logarithmic."""
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points if y > 0] + ([goal] if goal else [])
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys) * 1.01))
    top, bottom, left, right = 44, 300, 70, WIDTH - 170

    def place(x, y):
        across = (math.log10(x) - math.log10(xs[0])) / max(math.log10(xs[-1] / xs[0]), 1e-9)
        up = (math.log10(max(y, low)) - math.log10(low)) / math.log10(high / low)
        return left + across * (right - left), bottom - up * (bottom - top)

    parts = []
    tick = low
    while tick <= high:
        y = place(xs[0], tick)[1]
        parts += [f'<path d="M{left} {y:.1f}H{right}" class="axis"/>', label(left - 8, y + 4, f"{tick:,.0f}", "end", "small")]
        tick *= 10
    parts += [label(place(x, low)[0], bottom + 18, f"{x:,}", "middle", "small") for x in xs]
    parts.append(label((left + right) / 2, bottom + 36, x_name, "middle", "small"))
    if goal:
        y = place(xs[0], goal)[1]
        parts += [f'<path d="M{left} {y:.1f}H{right}" class="goal"/>', label(right + 8, y + 4, f"goal {goal:,}", kind="small")]
    ends = []
    for at, (name, points) in enumerate(series.items()):
        at = 2 if name == "mfa" else at
        places = [place(x, y) for x, y in points]
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" class="s{at % 5}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="s{at % 5}"/>' for x, y in places]
        ends.append([places[-1][1], name, at])
    free = top - 20.0
    for y, name, at in sorted(ends):
        free = max(y, free + 16)
        parts += [f'<rect x="{right + 8}" y="{free - 5:.1f}" width="9" height="9" class="s{at % 5}"/>', label(right + 22, free + 4, name)]
    return svg(title, bottom + 46, parts)


def pictures(results):
    """By file name."""
    made = {}
    if "alone" in results:
        rows = [(name, row["median"], row["p99"]) for name, row in results["alone"].items()]
        goal = ("1.5 × the least", results["alone"]["least"]["median"] * 1.5)
        made["login.svg"] = bars("Microseconds of a login: median, and 99th as a line", rows, goal)
    if "crowds" in results:
        series = {name: [(int(level), row["rate"]) for level, row in of.items()] for name, of in results["crowds"].items()}
        made["at-once.svg"] = lines("Successful logins a second", series, "logins at once")
    if "users" in results:
        rows = results["users"]["rows"].items()
        series = {name: [(int(count), row[key]) for count, row in rows] for name, key in (("99th", "p99"), ("95th", "p95"), ("median", "median"))}
        made["users.svg"] = lines("Microseconds of a login", series, "users")
    if "connections" in results:
        series = {"mfa": [(int(count), row["rate"]) for count, row in results["connections"].items()]}
        made["verifications.svg"] = lines("Durable verifications a second", series, "kept connections", 20_000)
    return made
