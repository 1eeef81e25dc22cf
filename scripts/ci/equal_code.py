"""Find places of the project that hold the same code, to the letter or with other names.

A run is six or more lines that follow each other in two places, once white space, comments, lone
punctuation, and lines that only import something are left out. Lines are compared twice: as they
are, and by their shape, in which every name, text and number looks alike. What stands in more than
eight places is too common to say anything, and so are lists: six lines of fewer than three shapes,
or of which four have one shape, as columns between `select` and `from` or the fields of a class.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from sqlglot.tokens import Tokenizer

FOLDERS = ("models", "macros", "tests", "scripts")
ENDINGS = (".sql", ".py")
MIN_LINES = 6
MOST_PLACES = 8
FEWEST_SHAPES = 3
MOST_OF_ONE_SHAPE = 3

# Names keep their spelling in a shape when the language gives them a meaning.
KEYWORDS = {word.lower() for word in Tokenizer.KEYWORDS if word.isalpha()} | set(keyword.kwlist)
COMMENTS = {
    ".sql": re.compile(r"\{#.*?#\}|--[^\n]*|/\*.*?\*/", re.DOTALL),
    ".py": re.compile(r"^\s*#[^\n]*|^from [\w.]+ import \([^)]*\)", re.MULTILINE),
}
IMPORTS = {
    # The three lines of an import CTE: its name, its only select and its end.
    ".sql": re.compile(
        r"(with )?\w+ as (materialized )?\(|select \* from .*|\{%-? (end\w+|else) -?%\}"
    ),
    ".py": re.compile(r"(from [\w.]+ )?import .*"),
}
TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?|\w+|\S")


@dataclass(frozen=True, order=True)
class Pair:
    """Two files, which may be the same one, with what they share.

    `lines` is the length of their longest shared run, `first` and `second` the lines at which it
    begins. `is_exact` is false when only the shapes of its lines agree.
    """

    first_file: str
    second_file: str
    first: int
    second: int
    lines: int
    is_exact: bool

    @property
    def are_siblings(self) -> bool:
        """Whether two different files of one folder share it."""
        return (
            self.first_file != self.second_file
            and Path(self.first_file).parent == Path(self.second_file).parent
        )


def code_files(project: Path) -> dict[str, str]:
    """Return the text of each SQL and Python file of the project by its path below `project`."""
    return {
        path.relative_to(project).as_posix(): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in sorted((project / folder).rglob("*"))
        if path.suffix in ENDINGS and path.is_file()
    }


def equal_pairs(files: Mapping[str, str], min_lines: int = MIN_LINES) -> list[Pair]:
    """Return one pair for each two files (or one file twice) that share a run, longest first."""
    exact = {name: list(_lines(name, text)) for name, text in files.items()}
    shapes = {
        name: [(number, _shape(line)) for number, line in lines] for name, lines in exact.items()
    }
    found: dict[tuple[str, str], Pair] = {}
    for is_exact, lines in ((True, exact), (False, shapes)):
        for pair in _longest_runs(lines, min_lines, is_exact):
            found.setdefault((pair.first_file, pair.second_file), pair)
    return sorted(found.values(), key=lambda pair: (not pair.is_exact, -pair.lines, pair))


def _lines(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that counts, with single spaces."""
    ending = Path(name).suffix
    # a comment of several lines keeps its line ends, so that numbers stay right
    bare = COMMENTS[ending].sub(lambda comment: "\n" * comment.group().count("\n"), text)
    for number, line in enumerate(bare.splitlines(), start=1):
        folded = " ".join(line.split())
        if re.search(r"\w", folded) and not IMPORTS[ending].fullmatch(folded):
            yield number, folded


def _shape(line: str) -> str:
    def alike(token: str) -> str:
        if token[0] in "'\"":
            return "''"
        if token[0].isdigit():
            return "0"
        is_name = token[0].isalpha() or token[0] == "_"
        return "name" if is_name and token.lower() not in KEYWORDS else token

    return " ".join(alike(token) for token in TOKEN.findall(line))


def _longest_runs(
    files: Mapping[str, list[tuple[int, str]]], min_lines: int, is_exact: bool
) -> Iterator[Pair]:
    """Yield the longest run that each two files share."""
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, lines in files.items():
        for start in range(len(lines) - min_lines + 1):
            window = tuple(text for _, text in lines[start : start + min_lines])
            places[window].append((name, start))
    shared: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for window, where in places.items():
        if len(where) > MOST_PLACES or (not is_exact and _is_list(window)):
            continue
        for (first, start), (second, other) in combinations(where, 2):
            # two windows of one file that overlap are one list of like lines, not two places
            if first != second or other - start >= min_lines:
                shared[first, second].add((start, other))
    for (first, second), starts in shared.items():
        length, start, other = max(_merged(starts, min_lines), key=lambda run: (run[0], -run[1]))
        yield Pair(first, second, files[first][start][0], files[second][other][0], length, is_exact)


def _is_list(shapes: Sequence[str]) -> bool:
    counts = Counter(shapes)
    return len(counts) < FEWEST_SHAPES or max(counts.values()) > MOST_OF_ONE_SHAPE


def _merged(starts: Iterable[tuple[int, int]], min_lines: int) -> Iterator[tuple[int, int, int]]:
    """Yield length and both starts of each run that the windows beginning at `starts` make up."""
    left = set(starts)
    for start, other in sorted(left):
        if (start - 1, other - 1) in left:
            continue
        length = min_lines
        while (start + length - min_lines + 1, other + length - min_lines + 1) in left:
            length += 1
        yield length, start, other
