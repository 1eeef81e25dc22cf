"""Types, texts, conversions and times of single values."""

import pytest

from scripts.loader.times import Instant, envelope_time, property_time, skew_corrected
from scripts.loader.values import (
    BlankText,
    DiscardedError,
    JsonText,
    RejectedError,
    WideInteger,
    clean,
    convert,
    is_blank,
    json_text,
    kind_of,
    plain_text,
    typed,
)

INSTANT = property_time("2024-05-01T10:00:00Z")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (0, int),
        (0.0, int),
        (1.0, int),
        (2e3, int),
        (1e21, int),
        (-7, int),
        (0.018, float),
        (1.5e-9, float),
        (True, bool),
        ("text", str),
        ("0.018", str),
        ("12", str),
        ("   ", str),
        ([1], str),
        ("2024-05-01", Instant),
        ("2024-05-01 10:00", Instant),
        ("2026-01-14T10:00:00+05:30", Instant),
        ("2020-02-11 04:56:55.175116", Instant),
        ("2024-02-30", Instant),
        ("2024-05", str),
        ("20240501", str),
        ("05/25/2020", str),
        ("10:00:00", str),
        ("1714550000", str),
        ("2024-05-01T10", str),
        ("on 2024-05-01", str),
        ("2024-05-01 was fine", str),
        ("0000-01-01", str),
        ("-2024-05-01", str),
        ("2024-13-01", str),
        ("2024-05-01T24:00", str),
        ("2024-05-01T10:60", str),
        ("9999-12-31T23:59:59-01:00", str),
    ],
)
def test_first_value_decides_this_type(value, kind):
    assert kind_of(typed(value)) is kind


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-05-01", "2024-05-01T00:00:00.000Z"),
        ("2024-05-01 10:00", "2024-05-01T10:00:00.000Z"),
        ("2026-01-14T10:00:00+05:30", "2026-01-14T04:30:00.000Z"),
        ("2026-01-14T10:00:00-0800", "2026-01-14T18:00:00.000Z"),
        ("2020-02-11 04:56:55.175916", "2020-02-11T04:56:55.175Z"),
        ("2024-02-30", "2024-03-01T00:00:00.000Z"),
        ("2023-02-29T10:00:00Z", "2023-03-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_datetimes_are_utc_milliseconds(text, iso):
    assert property_time(text).text() == iso


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-14T10:00:00.123456+02:00", "2026-01-14T08:00:00.123Z"),
        ("2026-01-14 10:00:00 UTC", "2026-01-14T10:00:00.000Z"),
        ("2026-01-14 10:00:00.5 +0000 UTC", "2026-01-14T10:00:00.500Z"),
        ("2026-01-14T10:00:00+02", "2026-01-14T08:00:00.000Z"),
        ("2026/01/14 10:00:00", "2026-01-14T10:00:00.000Z"),
        ("01/14/2026", "2026-01-14T00:00:00.000Z"),
        ("20260114", "2026-01-14T00:00:00.000Z"),
        ("20260114100000", "2026-01-14T10:00:00.000Z"),
        ("1768384800", "2026-01-14T10:00:00.000Z"),
        ("1768384800123", "2026-01-14T10:00:00.123Z"),
        ("1768384800123456789", "2026-01-14T10:00:00.123Z"),
        ("Wed, 14 Jan 2026 10:00:00 GMT", "2026-01-14T10:00:00.000Z"),
    ],
)
def test_times_of_the_envelope_are_read_leniently(text, iso):
    assert envelope_time(text).text() == iso


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-99-99", "99/99/2026", "12", 1768384800, None, {}, "9" * 12, "x" * 99],
)
def test_what_is_no_time_counts_as_absent(value):
    assert envelope_time(value) is None


def test_skew_correction_never_leaves_the_calendar():
    earliest, latest = property_time("0001-01-01"), property_time("9999-12-31")
    assert skew_corrected(INSTANT, latest, earliest) == INSTANT
    assert skew_corrected(INSTANT, INSTANT, earliest) == earliest


@pytest.mark.parametrize("value", [None, "", [], [""], [[]], [[[""]]]])
def test_blank_values(value):
    assert is_blank(value)


@pytest.mark.parametrize("value", [[None], [None, None], [{}], ["", ""], " ", 0, False, {}])
def test_values_that_are_not_blank(value):
    assert not is_blank(value)


WIDE = WideInteger(2**60)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (7, int, 7),
        (7.9, int, 7),
        (-7.9, int, -7),
        (0.018, int, 0),
        (WIDE, int, 2**60),
        (7, float, 7.0),
        (0.018, float, 0.018),
        (7, str, "7"),
        (1234567, str, "1234567"),
        (0.018, str, "0.018"),
        (1234567.5, str, "1.2345675e+06"),
        (0.00001, str, "1e-05"),
        (0.0001, str, "0.0001"),
        (123456.5, str, "123456.5"),
        (True, str, "true"),
        (False, str, "false"),
        (INSTANT, str, "2024-05-01T10:00:00.000Z"),
        (typed([1, "a", None]), str, '[1,"a",null]'),
        ("x", str, "x"),
        (BlankText("  "), str, None),
        (True, bool, True),
        (INSTANT, Instant, INSTANT),
        (7, JsonText, "7"),
        (0.5, JsonText, "0.5"),
        (True, JsonText, "true"),
        ("x", JsonText, '"x"'),
        ('{"a":1}', JsonText, r'"{\"a\":1}"'),
        (typed([1]), JsonText, "[1]"),
        (INSTANT, JsonText, '"2024-05-01T10:00:00.000Z"'),
        (JsonText('{"a":1}'), JsonText, '{"a":1}'),
        (JsonText('{"a":1}'), str, '{"a":1}'),
    ],
)
def test_conversions(value, kind, expected):
    converted = convert(value, kind)
    assert converted == expected
    assert type(converted) is type(expected) or kind is JsonText


NAMES = {int: "int", float: "float", str: "string", bool: "boolean", Instant: "datetime"}
SAMPLES = {int: 7, float: 0.5, str: "x", bool: True, Instant: INSTANT}
FITTING = {(int, float), (float, int)} | {(str, kind) for kind in NAMES}


@pytest.mark.parametrize("existing", NAMES)
@pytest.mark.parametrize("incoming", NAMES)
def test_everything_else_is_discarded_with_the_reason(existing, incoming):
    if existing is incoming or (existing, incoming) in FITTING:
        assert convert(SAMPLES[incoming], existing) is not None
        return
    with pytest.raises(DiscardedError) as caught:
        convert(SAMPLES[incoming], existing)
    expected = f"incompatible schema conversion from {NAMES[existing]} to {NAMES[incoming]}"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("existing", "incoming"), [(int, typed([1])), (bool, typed(["a"])), (int, BlankText(" "))]
)
def test_arrays_and_white_space_have_type_string(existing, incoming):
    with pytest.raises(DiscardedError, match="to string"):
        convert(incoming, existing)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 2000, 1e21, 10**300])
def test_whole_numbers_beyond_64_bits_are_discarded(value):
    with pytest.raises(DiscardedError, match="64-bit"):
        convert(typed(value), int)


def test_whole_numbers_are_read_as_64_bit_floats():
    assert typed(2**53) == 2**53
    assert convert(typed(2**53 + 1), int) == 2**53


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 10**400])
def test_numbers_beyond_a_float_reject_the_event(value):
    with pytest.raises(RejectedError, match="64-bit float"):
        typed(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (typed(["a", 1, None, {"k": "v"}]), "[a 1 <nil> map[k:v]]"),
        ([1.5, 1000000, 0.00001, True], "[1.5 1e+06 1e-05 true]"),
        ([-1234567.5, 0, 100000], "[-1.2345675e+06 0 100000]"),
        ([], "[]"),
        ({"b": 1, "a": [2]}, "map[a:[2] b:1]"),
        (WideInteger(10**21), "1000000000000000000000"),
        ("x", "x"),
    ],
)
def test_discarded_values_are_written_as_go_prints_them(value, text):
    assert plain_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"b": 1, "a": 2}], '[{"a":2,"b":1}]'),
        (["<b>&</b>"], '["\\u003cb\\u003e\\u0026\\u003c/b\\u003e"]'),
        (["\u2028\u2029"], '["\\u2028\\u2029"]'),
        ([1e21, 1e20, 1e-7, 0.000001], "[1e+21,100000000000000000000,1e-7,0.000001]"),
        ([1.5e300, -2.5e-10], "[1.5e+300,-2.5e-10]"),
        ([1.0, 0.1, -0.5, 2**53], "[1,0.1,-0.5,9007199254740992]"),
        (["ü\n\t\x01\x7f"], '["ü\\n\\t\\u0001\x7f"]'),
        ([None, True, False, [], {}], "[null,true,false,[],{}]"),
    ],
)
def test_arrays_become_json_as_go_writes_it(value, text):
    assert json_text(value, escape_html=True) == text


def test_objects_of_cloud_sources_keep_html_characters():
    assert json_text({"a": "<&>"}, escape_html=False) == '{"a":"<&>"}'


def test_unstorable_characters_are_replaced():
    dirty = {"a\x00": ["b\x00c", "\ud800x", {"k": "\udfff"}], "n": 1}
    assert clean(dirty) == {"a": ["bc", "\ufffdx", {"k": "\ufffd"}], "n": 1}


def test_nesting_is_bounded():
    deep: list = []
    for _ in range(250):
        deep = [deep, 1]
    for function in (lambda: json_text(deep, escape_html=True), lambda: plain_text(deep)):
        with pytest.raises(RejectedError, match="nested deeper"):
            function()
