"""Prices by name and day: spellings found in the wild, dated lists, and where sources differ."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from scripts import update_model_pricing
from scripts.pricing import dated_lists, genai, history
from scripts.pricing.names import Resolver, general_rows, respellings
from tests.python.tables import read

ROOT = Path(__file__).resolve().parents[2]
NAMES_FILE = ROOT.parent / "shared/cases/model_names.csv"
CLASSES = ("input", "output", "cache_read", "cache_write")


@pytest.fixture(scope="module")
def prices():
    return read(ROOT / "seeds/pricing/model_pricing.csv")


@pytest.fixture(scope="module")
def resolve():
    rows = read(ROOT / "seeds/pricing/model_aliases.csv")
    return Resolver([(row["alias"], row["match_type"], row["canonical_model"]) for row in rows])


# --- spellings found in the wild ----------------------------------------------------------------

# Spellings whose expected price is not the seed's, each with the reason.
OTHER_PRICES: dict[str, str] = {}


def price_of(prices, model, day):
    """Return the four prices of a model on a day, before its first known day those of that day."""
    row = history.price_on([row for row in prices if row["canonical_model"] == model], day)
    values = [row[f"{name}_usd_per_million_tokens"] for name in CLASSES]
    return [Decimal(value) if value else None for value in values]


@pytest.mark.skipif(not NAMES_FILE.exists(), reason=f"{NAMES_FILE} is not beside this checkout")
def test_spellings_found_in_the_wild_have_the_public_price_of_the_day(prices, resolve):
    wrong = {}
    for row in read(NAMES_FILE):
        expected = [
            Decimal(text) if (text := row[f"{name}_usd_per_million_tokens"]) else None
            for name in ("input", "output", "cache_read")
        ]
        expected.append(
            Decimal(row["cache_write_usd_per_million_tokens"])
            if row.get("cache_write_usd_per_million_tokens")
            else None
        )
        model = resolve(row["model_name"])
        found = price_of(prices, model, row["on_date"]) if model else [None] * 4
        is_right = found[:2] == expected[:2] and all(
            not wanted or price in (None, wanted)
            for price, wanted in zip(found[2:], expected[2:], strict=True)
        )
        if not is_right:
            wrong[row["model_name"]] = (row["on_date"], model, found, expected)
    assert wrong.keys() == OTHER_PRICES.keys(), wrong
    assert len(OTHER_PRICES) <= 2


# --- dated lists out of archives ----------------------------------------------------------------


def entry(provider, cost, **more):
    keys = {name: dated_lists.FIGURES.get(name, name) for name in more}
    return {
        "litellm_provider": provider,
        "mode": "chat",
        "input_cost_per_token": cost,
        **{keys[name]: value for name, value in more.items()},
    }


def archive(folder, version, content, file="acme_prices/prices.json"):
    """Write a wheel that holds a price list, and code that must never run; return its checksum."""
    folder.mkdir(exist_ok=True)
    path = folder / f"acme_prices-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("acme_prices/__init__.py", "raise SystemExit('this code must not run')")
        wheel.writestr(file, content if isinstance(content, str) else json.dumps(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pin(version, day, checksum, file="acme_prices/prices.json"):
    return dated_lists.PriceList(day, "acme-prices", version, file, checksum)


def test_figures_are_read_from_archives_as_spans_of_lists_that_agree(tmp_path):
    lists = [
        {"GPT-X": entry("openai", 5e-6, output=1.5e-5), "gone": entry("openai", 1e-6)},
        {"gpt-x": entry("openai", 5e-6, output=1.5e-5)},
        {"gpt-x": entry("openai", 2.5e-6, output=1e-5, priority_input=4.25e-6, cache_read=0)},
    ]
    days = ("2024-05-20", "2024-06-20", "2024-07-20")
    pins = [
        pin(f"1.{number}", days[number], archive(tmp_path, f"1.{number}", content))
        for number, content in enumerate(lists)
    ]
    found = {(p.name, p.first_listed_on): p for p in dated_lists.collect(pins, tmp_path)}
    assert {(key, price.last_listed_on) for key, price in found.items()} == {
        (("gpt-x", "2024-05-20"), "2024-06-20"),
        (("gpt-x", "2024-07-20"), "2024-07-20"),
        (("gone", "2024-05-20"), "2024-05-20"),
    }
    figures = found["gpt-x", "2024-07-20"].figures
    assert (figures["input"], figures["output"], figures["priority_input"]) == ("2.5", "10", "4.25")
    assert figures["cache_read"] == "", "a 0 beside a price is one that nobody knew"

    file = tmp_path / "dated_prices.csv"
    dated_lists.write_dated_prices(file, list(found.values()))
    again = dated_lists.read_dated_prices(file)
    assert sorted(again, key=lambda p: (p.name, p.first_listed_on)) == sorted(
        found.values(), key=lambda p: (p.name, p.first_listed_on)
    )


@pytest.mark.parametrize(
    "value, expected",
    [
        ({"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1}, {}),
        ({"litellm_provider": "somebody", "input_cost_per_token": 1}, {}),
        ({"litellm_provider": "openai", "input_cost_per_token": None}, {}),
        ({"litellm_provider": "openai", "input_cost_per_token": True}, {}),
        ({"litellm_provider": "openai", "input_cost_per_token": -1e-6}, {}),
        ({"litellm_provider": "openai", "input_cost_per_token": "NaN"}, {}),
        ({"litellm_provider": "openai", "input_cost_per_token": "1e-6"}, {"input": "1"}),
        (entry("openai", 0, output=0), {"input": "0", "output": "0"}),
        # A list that knows one of the two prices knows too little.
        (entry("openai", 0, output=5e-4), {}),
        (entry("openai", 1e-7, output=0), {"input": "0.1"}),
        ("a comment", {}),
    ],
)
def test_what_is_no_price_is_left_out(value, expected):
    found = [figures for _, _, figures in dated_lists.entries({"m": value})]
    known = [{name: figure for name, figure in row.items() if figure} for row in found]
    assert known == ([expected] if expected else [])


@pytest.mark.parametrize(
    "content, file, message",
    [
        ({"m": entry("openai", 1e-6)}, "acme_prices/prices.json", "not the pinned"),
        ({"m": entry("openai", 1e-6)}, "acme_prices/other.json", "has no file acme_prices"),
        ("{not json", "acme_prices/prices.json", "cannot be read as JSON"),
        ("[]", "acme_prices/prices.json", "holds no prices"),
    ],
)
def test_a_wrong_archive_is_refused_in_one_line(tmp_path, capsys, content, file, message):
    checksum = archive(tmp_path, "1.0", content, file)
    if message == "not the pinned":
        checksum = checksum[::-1]
    with pytest.raises(SystemExit):
        dated_lists.collect([pin("1.0", "2024-05-20", checksum)], tmp_path)
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_checksum_must_be_one(tmp_path, capsys):
    file = tmp_path / "price_lists.csv"
    file.write_text(",".join(dated_lists.LIST_COLUMNS) + "\n2024-05-20,acme,1.0,a.json,soon\n")
    with pytest.raises(SystemExit):
        dated_lists.read_price_lists(file)
    assert "price_lists.csv:2: sha256: 'soon' is no checksum" in capsys.readouterr().err


# --- history and differences --------------------------------------------------------------------


def dated(name, first, last, figures, provider="openai"):
    values = dict.fromkeys(dated_lists.FIGURES, "")
    values.update(zip(CLASSES, figures, strict=False))
    return dated_lists.DatedPrice(provider, name, first, last, values)


def price_row(model, start, end, figures, provider="openai"):
    row = history.empty_row(provider, model, start, "genai-prices: a page")
    row["valid_to"] = end
    row.update({f"{n}_usd_per_million_tokens": v for n, v in zip(CLASSES, figures, strict=False)})
    return row


def test_a_price_begins_on_the_day_a_list_first_had_it():
    rows = [
        price_row("listed", "2020-01-01", "", ["1", "2"]),
        price_row("seen", "2020-01-01", "", ["1", "2"]),
        price_row("new", "2020-01-01", "", ["1", "2"]),
        price_row("ended", "2020-01-01", "2026-03-01", ["1", "2"]),
        price_row("ended", "2026-03-01", "", ["3", "4"]),
    ]
    found = history.with_first_days(
        rows,
        [dated("listed", "2024-05-20", "2024-06-20", ["9", "9"])],
        Resolver([(row["canonical_model"], "exact", row["canonical_model"]) for row in rows]),
        {"listed": "2023-01-01", "seen": "2026-02-02"},
        "2026-11-10",
    )
    assert [(row["canonical_model"], row["valid_from"]) for row in found] == [
        ("listed", "2024-05-20"),
        ("seen", "2026-02-02"),
        ("new", "2026-11-10"),
        ("ended", "2026-02-28"),
        ("ended", "2026-03-01"),
    ]


def test_reviewed_history_takes_the_place_of_what_it_overlaps():
    reviewed = dict.fromkeys(history.HISTORY_COLUMNS, "") | {
        "canonical_model": "m",
        "valid_from": "2024-05-13",
        "valid_to": "2024-10-02",
        "input_usd_per_million_tokens": "5",
        "reason": "the first price",
    }
    rows = [
        price_row("m", "2024-05-22", "", ["2.5", "10"]),
        price_row("n", "2024-01-01", "", ["1"]),
    ]
    found = history.with_history(rows, [reviewed, {**reviewed, "valid_from": "2025-01-01"}])
    spans = sorted(
        (row["valid_from"], row["valid_to"], row["input_usd_per_million_tokens"])
        for row in found
        if row["canonical_model"] == "m"
    )
    assert spans[:2] == [("2024-05-13", "2024-10-02", "5"), ("2024-10-02", "", "2.5")]


def test_history_of_an_unknown_model_is_refused(capsys):
    reviewed = dict.fromkeys(history.HISTORY_COLUMNS, "") | {"canonical_model": "nobody"}
    with pytest.raises(SystemExit):
        history.with_history([], [reviewed])
    assert "'nobody' is priced by no source" in capsys.readouterr().err


def test_every_difference_is_reported_until_it_is_explained():
    rows = [
        price_row("m", "2024-01-01", "2024-10-02", ["5", "15"]),
        price_row("m", "2024-10-02", "", ["2.5", "10", "1.25"]),
    ]
    resolve = Resolver([("m", "family", "m")])
    lists = [
        dated("m", "2024-05-20", "2024-06-20", ["5", "15"]),
        # A list of the month after may still have the old price; one of the year after may not.
        dated("m-2024-05-13", "2024-06-20", "2024-10-30", ["5", "15"]),
        dated("m-latest", "2025-06-20", "2025-06-20", ["5", "15"]),
        # A class that one side does not know is no difference.
        dated("m", "2025-06-20", "2025-06-20", ["2.5", "10", "", "3"]),
        dated("m-preview", "2025-06-20", "2025-06-20", ["2.5", "10", "0.5"]),
        # Somebody else's price for a model of the same name.
        dated("m", "2025-06-20", "2025-06-20", ["7", "7"], "groq"),
    ]
    unexplained, unused, compared = history.differences(rows, lists, resolve, [])
    assert [line.split(" from")[0] for line in unexplained] == ["m-latest", "m-preview"]
    assert "the list says 5/15/-/-, m costs 2.5/10/1.25/- on 2025-06-20" in unexplained[0]
    assert (unused, compared) == ([], 5)

    accepted = [
        history.Accepted("m-latest", ("5", "15", "", ""), "kept the old price"),
        history.Accepted("m-*", ("2.5", "", "", ""), "mistyped"),
        history.Accepted("m-gone", ("", "", "", ""), "explains nothing"),
        history.Accepted("m-latest", ("6", "", "", ""), "another price"),
    ]
    unexplained, unused, _ = history.differences(rows, lists, resolve, accepted)
    assert (unexplained, unused) == ([], accepted[2:])


def test_an_accepted_difference_needs_a_reason(tmp_path, capsys):
    file = tmp_path / "accepted_differences.csv"
    file.write_text(",".join(history.ACCEPTED_COLUMNS) + "\nm,1,2,,, \n")
    with pytest.raises(SystemExit):
        history.read_accepted(file)
    assert "accepted_differences.csv:2: reason: is empty" in capsys.readouterr().err


def test_models_that_only_the_lists_know_are_priced_by_them():
    names = [*general_rows(), ("nova", "exact", "nova"), ("us.amazon.nova", "family", "nova")]
    known = [price_row("nova", "2020-01-01", "", ["1", "2"], "bedrock")]
    lists = [
        dated("ft:gpt-x-2024-08-06", "2024-10-30", "2025-01-01", ["3", "12"]),
        dated("ft:gpt-x-2024-08-06", "2025-02-01", "2026-01-01", ["3", "12", "1.5"]),
        dated("ft:gpt-x-2024-08-06", "2026-02-01", "2026-11-20", ["2", "12", "1.5"]),
        dated("gemini/gem-exp-1", "2025-01-01", "2025-01-01", ["0", "0"], "google"),
        dated("eu.amazon.nova-v1:0", "2025-01-01", "2026-11-20", ["1.3", "2"], "bedrock"),
        dated("us.amazon.nova-v1:0", "2025-01-01", "2026-11-20", ["1", "2"], "bedrock"),
        dated("azure/eu/gpt-x", "2025-01-01", "2026-11-20", ["1.1", "2.2"], "azure"),
        dated("somebody/else", "2025-01-01", "2026-11-20", ["1", "2"], "groq"),
    ]
    names.append(("eu.amazon.nova", "family", "nova"))
    rows, aliases = history.listed_models(lists, known, names, "2026-11-20")
    spans = [
        (
            *(row[column] for column in ("canonical_model", "valid_from", "valid_to")),
            *(row[f"{name}_usd_per_million_tokens"] for name in CLASSES[:3]),
        )
        for row in rows
    ]
    assert spans == [
        # That a list learns of another class is no other price.
        ("ft:gpt-x-2024-08-06", "2024-10-30", "2026-02-01", "3", "12", "1.5"),
        ("ft:gpt-x-2024-08-06", "2026-02-01", "", "2", "12", "1.5"),
        ("gem-exp-1", "2025-01-01", "", "0", "0", ""),
        ("nova@bedrock-eu", "2025-01-01", "", "1.3", "2", ""),
        ("gpt-x@azure-eu", "2025-01-01", "", "1.1", "2.2", ""),
    ]
    overridden = {alias for alias, _, _ in aliases}
    resolve = Resolver([row for row in names if row[0] not in overridden] + aliases)
    assert {
        name: resolve(name)
        for name in (
            "ft:gpt-x-2024-08-06:acme::1",
            "ft:gpt-x:acme::1",
            "ft:gpt-y:acme::1",
            "models/gem-exp-1",
            "eu.amazon.nova-v1:0",
            "us.amazon.nova-v1:0",
            "azure/eu/gpt-x",
        )
    } == {
        "ft:gpt-x-2024-08-06:acme::1": "ft:gpt-x-2024-08-06",
        "ft:gpt-x:acme::1": "ft:gpt-x-2024-08-06",
        "ft:gpt-y:acme::1": None,
        "models/gem-exp-1": "gem-exp-1",
        "eu.amazon.nova-v1:0": "nova@bedrock-eu",
        "us.amazon.nova-v1:0": "nova",
        "azure/eu/gpt-x": "gpt-x@azure-eu",
    }


@pytest.mark.parametrize(
    "name, spelling",
    [
        ("claude-sonnet-4-5", "claude-4.5-sonnet"),
        ("claude-3-5-sonnet", "claude-sonnet-3.5"),
        ("claude-opus-5", "claude-5-opus"),
        ("claude-opus-4-0", "claude-4-opus"),
        ("gemini-2.5-flash-lite", "gemini-flash-lite-2.5"),
        ("gpt-3.5-turbo-0613", "gpt-35-turbo-0613"),
        ("gpt-4.1-nano", "gpt-4-1-nano"),
        ("grok-4.5", "grok-4-5"),
    ],
)
def test_other_spellings_of_a_name(name, spelling):
    assert spelling in set(respellings(name))


# --- the script ---------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    for file in (ROOT / "scripts/pricing").glob("*.csv"):
        shutil.copy(file, folder / file.name)
    return folder


def test_the_sources_agree_and_the_share_of_dated_rows_is_printed(tmp_path, sources, capsys):
    options = ["--folder", str(tmp_path / "seeds"), "--sources", str(sources)]
    assert update_model_pricing.main(options) == 0
    output = capsys.readouterr().out
    assert ", 0 unexplained difference(s)" in output
    assert "begin on a day from a dated source" in output
    assert update_model_pricing.main([*options, "--check"]) == 0


def test_an_unexplained_difference_and_a_useless_row_end_with_1(tmp_path, sources, capsys):
    accepted = sources / "accepted_differences.csv"
    lines = accepted.read_text().splitlines()
    dropped = next(line for line in lines if line.startswith("o1-mini-2024-09-12,"))
    lines.remove(dropped)
    lines.append("o9-mini,1,1,,,nobody has it")
    accepted.write_text("\n".join(lines) + "\n")
    options = ["--folder", str(tmp_path / "seeds"), "--sources", str(sources)]
    assert update_model_pricing.main(options) == 1
    error = capsys.readouterr().err
    assert "unexplained difference: o1-mini-2024-09-12 from 2024-10-30 to 2026-03-01" in error
    assert "o9-mini explains nothing" in error


def test_an_unpinned_release_of_the_first_source_is_named(tmp_path, sources, capsys):
    lists = sources / "price_lists.csv"
    kept = [line for line in lists.read_text().splitlines() if "genai-prices" not in line]
    lists.write_text("\n".join(kept) + "\n")
    with pytest.raises(SystemExit):
        update_model_pricing.main(["--folder", str(tmp_path), "--sources", str(sources)])
    assert "which is installed, has no line" in capsys.readouterr().err


def test_download_reads_the_lists_anew(tmp_path, sources, monkeypatch):
    checksum = archive(tmp_path / "archives", "1.0", {"gpt-x": entry("openai", 1e-6, output=2e-6)})
    (sources / "price_lists.csv").write_text(
        ",".join(dated_lists.LIST_COLUMNS)
        + f"\n2024-05-20,acme-prices,1.0,acme_prices/prices.json,{checksum}\n"
    )
    monkeypatch.setattr(dated_lists.subprocess, "run", None)  # what is there is not downloaded
    update_model_pricing.download(sources, tmp_path / "archives")
    [row] = read(sources / "dated_prices.csv")
    assert (row["name"], row["first_listed_on"], row["input"], row["output"]) == (
        "gpt-x",
        "2024-05-20",
        "1",
        "2",
    )


def test_an_archive_is_downloaded_alone_and_never_built(tmp_path, monkeypatch, capsys):
    commands = []

    def refuse(command, **_):
        commands.append(command)
        return dated_lists.subprocess.CompletedProcess(command, 1, "", "ERROR: no such release")

    monkeypatch.setattr(dated_lists.subprocess, "run", refuse)
    with pytest.raises(SystemExit):
        dated_lists.collect([pin("9.9", "2024-05-20", "0" * 64)], tmp_path)
    assert "pip could not download acme-prices==9.9: ERROR: no such release" in (
        capsys.readouterr().err
    )
    [command] = commands
    assert {"download", "--no-deps", "--only-binary=:all:"} <= set(command)
    assert "install" not in command


def test_only_the_figures_of_the_lists_are_kept():
    columns = (ROOT / "scripts/pricing/dated_prices.csv").read_text().splitlines()[0]
    assert columns == ",".join(dated_lists.DATED_COLUMNS)
    assert not list(ROOT.glob("scripts/**/*.whl"))


def test_every_pinned_list_has_a_checksum_and_a_day():
    pins = dated_lists.read_price_lists(ROOT / "scripts/pricing/price_lists.csv")
    assert len(pins) == len({pin.released_on for pin in pins}) >= 24
    assert genai.GENERATED_BY in {pin.package for pin in pins}
