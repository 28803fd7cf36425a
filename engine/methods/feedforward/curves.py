"""Curves of a training: one CSV row every so many steps, the means since the last one."""

from __future__ import annotations

import csv
from pathlib import Path

EVERY = 10  # steps
FIRST = ("step", "seconds", "rate", "loss", "held_out_psnr")


class Curves:
    """The file of one training. A resumed one loses the rows that it will write again."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._sums: dict[str, float] = {}
        self._count = 0
        self._names: list[str] = []
        if step == 0 or not path.is_file():
            path.unlink(missing_ok=True)
            return
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self._names = list(rows[0]) if rows else []
        self._write([row for row in rows if int(row["step"]) <= step], "w", header=bool(rows))

    def add(self, terms: dict[str, float]) -> None:
        """The figures of one step, the loss among them."""
        self._count += 1
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def row(self, step: int, seconds: float, rate: float, psnr: float | None) -> float:
        """Write what was added since the last row; returns the mean loss."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        figures = {"step": str(step), "seconds": f"{seconds:.1f}", "rate": f"{rate:.3g}",
                   "held_out_psnr": "" if psnr is None else f"{psnr:.3f}"}  # fmt: skip
        figures |= {name: f"{value:.5g}" for name, value in means.items()}
        new = not self._names
        self._names = self._names or [*FIRST, *(name for name in means if name not in FIRST)]
        self._write([figures], "a", header=new)
        return means["loss"]

    def _write(self, rows: list[dict[str, str]], mode: str, header: bool) -> None:
        with self._path.open(mode, newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._names, extrasaction="ignore", restval="")
            if header:
                writer.writeheader()
            writer.writerows(rows)
