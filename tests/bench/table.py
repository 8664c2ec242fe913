# SPDX-License-Identifier: BSD-2-Clause
"""Tables of plain text, printed as they grow and kept in a file."""

import sys


class Paper:
    """Everything goes to standard output and, if there is one, to a file."""

    def __init__(self, path):
        self._files = [sys.stdout] + ([open(path, "w")] if path else [])

    def line(self, text=""):
        for file in self._files:
            print(text, file=file, flush=True)

    def heading(self, text):
        self.line()
        self.line(text)

    def columns(self, *columns):
        """Begin a table: (title, width) each; the first is left-justified."""
        table = Table(self, columns)
        table.row(*(title for title, _ in columns))
        return table


class Table:
    def __init__(self, paper, columns):
        self._paper = paper
        self._widths = [width for _, width in columns]

    def row(self, *cells):
        first, *rest = (str(cell) for cell in cells)
        text = first.ljust(self._widths[0])
        for width, cell in zip(self._widths[1:], rest):
            text += " " + cell.rjust(width)
        self._paper.line(text.rstrip())


def size(number):
    """2048 as "2 KB"."""
    return f"{round(number / 1024)} KB"
