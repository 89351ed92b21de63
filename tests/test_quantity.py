import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.quantity import parse_count, parse_duration, short_count


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20000", 20_000),
        ("20k", 20_000),
        (" 20 K ", 20_000),
        ("1.5M", 1_500_000),
        ("0.5k", 500),
        ("2g", 2_000_000_000),
        ("3e4", 30_000),
        ("1_000", 1_000),
        ("1,000,000", 1_000_000),
        ("0", 0),
        ("9007199254740993", 9_007_199_254_740_993),
        ("1e18", 10**18),
    ],
)
def test_counts(text, number):
    assert parse_count(text) == number
    assert type(parse_count(text)) is int


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k",
        "20kb",
        "1.5",
        "0.0001k",
        "-5",
        "1e400",
        "1e999999999",
        "1,5k",
        "2,50",
        "1,0000",
        ",5",
        "nan",
        "inf",
        "20 000",
        "²",
        "0x10",
        "1e-3",
    ],
)
def test_what_is_no_count(text):
    with pytest.raises(ValueError, match=r"^must be a whole number such as 20000, 20k or 1\.5M; received '"):
        parse_count(text)


@pytest.mark.parametrize("text", ["1e19", "99999999999999999999", "2000000000g"])
def test_a_count_that_is_too_large(text):
    with pytest.raises(ValueError, match=rf"^must be at most 1e18; received '{text}'$"):
        parse_count(text)


@pytest.mark.parametrize("value", [7, 7.5, None, [1], True])
def test_what_is_no_text_is_passed_on(value):
    assert parse_count(value) is value
    assert parse_duration(value) is value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("30m", 1_800),
        ("1h30m", 5_400),
        ("2H", 7_200),
        ("1d", 86_400),
        (" 0.5h ", 1_800),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 m", "1e3", "30min", "1:30", "inf", "1.2.3s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"^must be a duration such as 90s, 30m or 1h30m; received '"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (950, "950"),
        (999.4, "999"),
        (999.9, "1k"),
        (1_000, "1k"),
        (8_412, "8.41k"),
        (999_949, "1M"),
        (999_400, "999k"),
        (1_520_000, "1.52M"),
        (999_999_999, "1G"),
        (2_500_000_000, "2.5G"),
        (1_234_567_000_000, "1235G"),
    ],
)
def test_short_counts(number, text):
    assert short_count(number) == text


@given(st.integers(0, 10**12))
def test_a_short_count_is_within_one_percent_and_can_be_read_back(number):
    text = short_count(number)
    assert "e" not in text
    assert parse_count(text) == pytest.approx(number, rel=0.006)
