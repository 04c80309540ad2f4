"""Lines over time as SVG: enough to see whether something grows."""
import html
import pathlib

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 300, 70, 40, 34, 16
COLOURS = ["#0b6fb8", "#c2410c", "#15803d", "#7e22ce"]


def nice_step(span, parts):
    """A step of 1, 2 or 5 times a power of ten that divides the span into about so many parts."""
    raw = span / parts if span > 0 else 1
    power = 10 ** len(str(int(raw))) / 10 if raw >= 1 else 1.0
    while power > raw:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


def ticks(low, high, parts=5):
    step = nice_step(high - low, parts)
    number = int(low / step)
    marks = []
    while number * step <= high + step * 1e-9:
        if number * step >= low:
            marks.append(number * step)
        number += 1
    return marks


def write(folder, name, title, x_name, y_name, lines):
    """`lines` is a dictionary: what a line is, and its points (x, y)."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return
    x_low, x_high = min(p[0] for p in points), max(p[0] for p in points)
    y_low, y_high = min(0, min(p[1] for p in points)), max(p[1] for p in points)
    x_span, y_span = (x_high - x_low) or 1, (y_high - y_low) or 1

    def x_of(x):
        return LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT)

    def y_of(y):
        return HEIGHT - BOTTOM - (y - y_low) / y_span * (HEIGHT - BOTTOM - TOP)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for y in ticks(y_low, y_low + y_span):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(y):.1f}" y2="{y_of(y):.1f}" stroke="#e2e2e2"/>'
                     f'<text x="{LEFT - 6}" y="{y_of(y) + 4:.1f}" text-anchor="end">{y:,g}</text>')
    for x in ticks(x_low, x_low + x_span, 8):
        parts.append(f'<text x="{x_of(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,g}</text>')
    parts.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x_name)}</text>'
                 f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{html.escape(y_name)}</text>')
    for index, (label, line) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if len(lines) > 1:
            parts.append(f'<text x="{WIDTH - RIGHT}" y="{20 + 14 * index}" text-anchor="end" fill="{colour}">{html.escape(label)}</text>')
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text("\n".join(parts) + "\n</svg>\n")
