"""Random numbers that are the same on every machine, and identifiers made from them.

Only uniform doubles of PCG64 are drawn, because NumPy promises that stream for ever while the
algorithms behind its distributions may change. Every purpose has a stream of its own, so that
switching one kind of dirt on leaves everything else as it was.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Stream:
    """One independent stream of random numbers, named by its seed, purpose and block number."""

    def __init__(self, seed: int, purpose: str, block: int = 0) -> None:
        sequence = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), block])
        self._generator = np.random.Generator(np.random.PCG64(sequence))

    def uniform(self, *shape: int) -> Floats:
        """Return numbers in [0, 1) of the given shape."""
        return self._generator.random(shape)

    def happens(self, probability: float | Floats, count: int) -> Bools:
        """Return `count` flags that are each true with the given probability."""
        return self.uniform(count) < probability

    def normal(self, count: int) -> Floats:
        """Return `count` standard normal numbers (Box-Muller)."""
        radius = np.sqrt(-2.0 * np.log(1.0 - self.uniform(count)))
        return radius * np.cos(2.0 * np.pi * self.uniform(count))

    def log_normal(self, median: float | Floats, sigma: float | Floats, count: int) -> Floats:
        """Return `count` log-normal numbers with the given median."""
        return median * np.exp(sigma * self.normal(count))

    def whole(self, low: int, high: int, count: int) -> Ints:
        """Return `count` whole numbers from `low` up to and including `high`."""
        return low + (self.uniform(count) * (high - low + 1)).astype(np.int64)

    def pick(self, weights: Floats, count: int) -> Ints:
        """Return `count` positions in `weights`, drawn in proportion to them."""
        limits = np.cumsum(weights)
        return np.searchsorted(limits, self.uniform(count) * limits[-1], side="right")


def scramble(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values mixed by the splitmix64 finaliser, which maps no two to the same one."""
    with np.errstate(over="ignore"):
        mixed = values * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def keyed_uniform(keys: NDArray[np.uint64], seed: int, purpose: str) -> Floats:
    """Return one number in [0, 1) per key that depends on key, seed and purpose only.

    For what happens to single events: it does not matter which other events there are.
    """
    salt = np.uint64(zlib.crc32(purpose.encode())) << np.uint64(31)
    mixed = scramble(scramble(keys ^ scramble(np.array([seed % 2**64], dtype=np.uint64))) ^ salt)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def keyed_whole(keys: NDArray[np.uint64], seed: int, purpose: str, *, low: int, high: int) -> Ints:
    """Return one whole number from `low` up to and including `high` per key."""
    return low + (keyed_uniform(keys, seed, purpose) * (high - low + 1)).astype(np.int64)


def keyed_normal(keys: NDArray[np.uint64], seed: int, purpose: str) -> Floats:
    """Return one standard normal number per key (Box-Muller)."""
    first = keyed_uniform(keys, seed, f"{purpose} radius")
    second = keyed_uniform(keys, seed, f"{purpose} angle")
    return np.sqrt(-2.0 * np.log(1.0 - first)) * np.cos(2.0 * np.pi * second)


_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def hexadecimal(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return one row of 16 hexadecimal digits (as ASCII codes) per value."""
    octets = values.astype(">u8").view(np.uint8).reshape(-1, 8)
    digits = np.empty((len(values), 16), dtype=np.uint8)
    digits[:, 0::2] = _DIGITS[octets >> 4]
    digits[:, 1::2] = _DIGITS[octets & 15]
    return digits


def uuid_text(keys: NDArray[np.uint64], seed: int) -> NDArray[np.uint8]:
    """Return one row of 36 ASCII codes per key: a UUID of version 4 that depends on key and seed.

    Different keys give different texts; the same key and seed give the same text.
    """
    salt = scramble(np.array([seed % 2**64], dtype=np.uint64))[0]
    first = hexadecimal(scramble(keys ^ salt))
    second = hexadecimal(scramble(scramble(keys ^ salt) ^ np.uint64(0x5851F42D4C957F2D)))
    text = np.full((len(keys), 36), ord("-"), dtype=np.uint8)
    text[:, 0:8] = first[:, 0:8]
    text[:, 9:13] = first[:, 8:12]
    text[:, 14] = ord("4")
    text[:, 15:18] = first[:, 13:16]
    text[:, 19] = ord("a")
    text[:, 20:23] = second[:, 1:4]
    text[:, 24:28] = second[:, 4:8]
    # The digit the version number replaced is kept here, so that no two texts can be equal.
    text[:, 28:36] = second[:, 8:16]
    text[:, 35] = first[:, 12]
    return text
