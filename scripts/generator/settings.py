"""What the command line asks of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True)
class Settings:
    """What the command line asks for; times are milliseconds since 1970 in UTC."""

    run_count: int
    day_count: int
    seed: int
    end_ms: int
    dirt: Mapping[str, float]
    parquet: bool = False
    patterns: Mapping[str, float] = field(default_factory=dict)

    def rate(self, knob: str) -> float:
        """Return the rate of a dirt knob, 0 when it is off."""
        return self.dirt.get(knob, 0.0)

    def strength(self, pattern: str) -> float:
        """Return the strength of a pattern, 0 when it is off."""
        return self.patterns.get(pattern, 0.0)
