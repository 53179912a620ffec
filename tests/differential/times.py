"""Converts RFC 3339 timestamps to UTC, by the RFC's grammar."""

import re
from datetime import datetime, timedelta

_RFC_3339 = re.compile(
    # RFC 3339, section 5.6: "T" and "Z" may be lower case, and a space may replace "T".
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt ]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?"
    r"([Zz]|(?P<sign>[+-])(?P<offset_hour>[0-9]{2}):(?P<offset_minute>[0-9]{2}))"
)
# `datetime` supports years 1 to 9999. The Gregorian calendar repeats every 400 years, so shifting by them is exact.
_CYCLE = 400


def in_utc(text: str) -> str | None:
    """Return the time in UTC with milliseconds.

    `None` if the text is not an RFC 3339 time, or if its year in UTC does not have four digits.
    """
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    part = {name: int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    offset = timedelta(hours=int(found["offset_hour"] or 0), minutes=int(found["offset_minute"] or 0))
    if offset >= timedelta(days=1) or int(found["offset_minute"] or 0) > 59:
        return None
    shift = _CYCLE if part["year"] < 5000 else -_CYCLE
    is_leap = part["second"] == 60
    second = 59 if is_leap else part["second"]
    try:
        day = datetime(part["year"] + shift, part["month"], part["day"])
        local = day.replace(hour=part["hour"], minute=part["minute"], second=second)
    except ValueError:
        return None
    utc = local + offset if found["sign"] == "-" else local - offset
    # A leap second is the last second of a month in UTC. It maps to the last millisecond of the second before.
    if is_leap and ((utc.hour, utc.minute) != (23, 59) or (utc + timedelta(days=1)).day != 1):
        return None
    if not 0 <= utc.year - shift <= 9999:
        return None
    milliseconds = "999" if is_leap else (found["fraction"] or "")[:3].ljust(3, "0")
    return f"{utc.year - shift:04}-{utc:%m-%dT%H:%M:%S}.{milliseconds}Z"
