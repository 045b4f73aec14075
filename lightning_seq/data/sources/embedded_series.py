"""Real series that are part of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.panel import Panel
from lightning_seq.data.sources.sunspots import MONTHS
from lightning_seq.errors import one_of
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf

PASSENGERS = """
112 118 132 129 121 135 148 148 136 119 104 118 115 126 141 135 125 149 170 170 158 133 114 140 145 150 178 163 172
178 199 199 184 162 146 166 171 180 193 181 183 218 230 242 209 191 172 194 196 196 236 235 229 243 264 272 237 211
180 201 204 188 235 227 234 264 302 293 259 229 203 229 242 233 267 269 270 315 364 347 312 274 237 278 284 277 317
313 318 374 413 405 355 306 271 306 315 301 356 348 355 422 465 467 404 347 305 336 340 318 362 348 363 435 491 505
404 359 310 337 360 342 406 396 420 472 548 559 463 407 362 405 417 391 419 461 472 535 622 606 508 461 390 432
"""
"""Thousands of passengers of international airlines by month, 1949 to 1960 (Box & Jenkins 1976, series G)."""

SERIES = {"airline_passengers": (PASSENGERS, 12, "1949-01"), "sunspots": (MONTHS, 132, "1749-01")}
"""By name: the numbers, the steps of a period (that of the sun is about eleven years), and the first month."""


@dataclass(frozen=True)
class EmbeddedSeries:
    """One series of `SERIES`. Raises UserError for another name."""

    name: Annotated[str, OneOf(("airline_passengers", "sunspots"))] = "airline_passengers"

    def __post_init__(self) -> None:
        one_of("data.name", self.name, tuple(SERIES))

    def describe(self) -> str:
        return self.name

    def identity(self) -> Plain:
        return {"embedded_series": self.name}

    def load(self) -> Panel:
        numbers, season, first = SERIES[self.name]
        return Panel.single(self.name, np.array(numbers.split(), dtype=np.float64), season, first)
