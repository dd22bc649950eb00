#!/usr/bin/env python3
"""Records what a command shows on a terminal as an SVG picture.

    scripts/terminal-svg.py [--columns N] [--rows N] [--shown TEXT] PICTURE.svg COMMAND...

The command runs on a pseudo-terminal of N columns, so that it colours and cuts its lines as for a person. TEXT is the
command as the picture shows it, where that differs from what runs. The first N rows of the output are kept, and the
picture says how many were left out. SGR colours, bold and dim are rendered; other control sequences are ignored.
"""
import argparse
import fcntl
import html
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import unicodedata

CELL_WIDTH = 8.4
LINE_HEIGHT = 19
MARGIN = 18
BAR = 34
COLOURS = {30: "#484f58", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea",
           37: "#e6edf3", 90: "#8b949e", 91: "#ffa198", 92: "#56d364", 93: "#f2cc60", 94: "#a5d6ff", 95: "#e2c5ff",
           96: "#b3f0ff", 97: "#ffffff"}
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def run(command, columns):
    """Everything the command writes to its terminal."""
    owner, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    for name in ("NO_COLOR", "CI"):
        environment.pop(name, None)
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    output = b""
    while True:
        try:
            piece = os.read(owner, 65536)
        except OSError:  # Linux: the last writer has gone
            break
        if not piece:
            break
        output += piece
    process.wait()
    return output.decode()


def spans(line, style):
    """The line as (text, style) pieces, and the style after it. A style is (colour, bold, dim)."""
    pieces, at = [], 0
    for match in SEQUENCE.finditer(line):
        if match.start() > at:
            pieces.append((line[at:match.start()], style))
        at = match.end()
        if match[2] == "m":
            style = restyle(style, match[1])
    if at < len(line):
        pieces.append((line[at:], style))
    return pieces, style


def restyle(style, codes):
    colour, bold, dim = style
    for code in (int(text or 0) for text in codes.split(";")):
        if code == 0:
            colour, bold, dim = None, False, False
        elif code == 1:
            bold = True
        elif code == 2:
            dim = True
        elif code == 22:
            bold, dim = False, False
        elif code == 39:
            colour = None
        elif code in COLOURS:
            colour = COLOURS[code]
    return colour, bold, dim


def cells(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def draw(lines, columns, title):
    width = round(2 * MARGIN + columns * CELL_WIDTH)
    height = BAR + MARGIN + len(lines) * LINE_HEIGHT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{html.escape(title)}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *(f'<circle cx="{MARGIN + 4 + 18 * i}" cy="18" r="5.5" fill="{c}"/>'
          for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))),
        '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" font-size="14" '
        'fill="#e6edf3">',
    ]
    for row, line in enumerate(lines):
        y, column = BAR + 14 + row * LINE_HEIGHT, 0
        for text, (colour, bold, dim) in line:
            looks = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "") + (
                ' opacity="0.6"' if dim else "")
            # Viewers collapse runs of spaces: each run of words goes to its own column.
            for words in re.finditer(r"\S+(?: \S+)*", text):
                x = MARGIN + (column + cells(text[:words.start()])) * CELL_WIDTH
                length = cells(words[0]) * CELL_WIDTH
                out.append(f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{looks}>{html.escape(words[0])}</text>')
            column += cells(text)
    return "\n".join([*out, "</g>", "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=118)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--shown")
    parser.add_argument("picture")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    shown = options.shown or shlex.join(options.command)
    output = [line.split("\r")[-1] for line in run(options.command, options.columns).replace("\r\n", "\n").split("\n")]
    while output and not output[-1]:
        output.pop()
    plain, green = (None, False, False), ("#7ee787", True, False)
    if len(output) > options.rows:
        left = len(output) - options.rows + 1
        output[options.rows - 2:-1] = [f"\x1b[2m… {left} more lines\x1b[0m"]
    lines, style = [[("$ ", green), (shown, plain)]], plain
    for text in output:
        pieces, style = spans(text, style)
        lines.append(pieces)
    with open(options.picture, "w") as file:
        file.write(draw(lines, options.columns, shown))
    sys.stdout.write(f"{options.picture}: {len(lines)} lines\n")


if __name__ == "__main__":
    main()
