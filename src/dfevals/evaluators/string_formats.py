"""The formats of JSON Schema (dates, addresses, URIs, …), checked alike wherever this runs; imports nothing of dfevals.

jsonschema checks a format only where the library for it happens to be installed, so a verdict would depend on the machine.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping

__all__ = ["formats_of"]

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
_HOURS = r"(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DAYS = r"(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
_DURATION = re.compile(rf"P(?:[0-9]+W|{_DAYS}(?:T{_HOURS})?|T{_HOURS})")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_POINTER = r"(?:/(?:[^~/]|~[01])*)*"
_COLOURS = {
    "aqua", "black", "blue", "fuchsia", "gray", "green", "lime", "maroon", "navy", "olive", "orange", "purple", "red",
    "silver", "teal", "white", "yellow",
}  # fmt: skip
_BEYOND_ASCII = "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\U00010000-\U000efffd"


@functools.cache
def _reference(extra: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of a URI with a scheme and of a relative reference (RFC 3986), with further characters for IRIs (RFC 3987)."""
    free = rf"A-Za-z0-9._~!$&'()*+,;=\-{extra}"
    hexa = "%[0-9A-Fa-f]{2}"
    host = rf"(?:\[(?P<literal>[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]|(?:[{free}]|{hexa})*)"
    authority = rf"//(?:(?:[{free}:]|{hexa})*@)?{host}(?::[0-9]*)?"
    rest = rf"(?:[{free}:@/]|{hexa})*(?:\?(?:[{free}:@/?]|{hexa})*)?(?:\#(?:[{free}:@/?]|{hexa})*)?"
    path = rf"(?:{authority}(?=[/?\#]|\Z)|(?!//))"
    return (
        re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:{path}{rest}"),
        re.compile(rf"(?![^/?\#:]*:){path}{rest}"),
    )


_VARIABLE = r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(?::[1-9][0-9]{0,3}|\*)?"
_TEMPLATE = re.compile(
    rf"""(?:[^\x00-\x20"%<>\\^`{{|}}\x7f]|%[0-9A-Fa-f]{{2}}|\{{[+#./;?&=,!@|]?{_VARIABLE}(?:,{_VARIABLE})*\}})*"""
)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf'{_ATOM}(?:\.{_ATOM})*|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"')


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    datetime.date.fromisoformat(text)
    return True


def _is_time(text: str) -> bool:
    """RFC 3339's full-time; the second 60 is there only at the end of a day in UTC."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return False
    hour, minute, second, off_hour, off_minute = (int(found[i] or 0) for i in (1, 2, 3, 5, 6))
    if hour > 23 or minute > 59 or off_hour > 23 or off_minute > 59:
        return False
    offset = (off_hour * 60 + off_minute) * (-1 if found[4] == "-" else 1)
    return second < 60 or (second == 60 and (hour * 60 + minute - offset) % 1440 == 1439)


def _is_date_time(text: str) -> bool:
    return text[10:11] in ("T", "t") and _is_date(text[:10]) and _is_time(text[11:])


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return len(local) <= 64 and bool(_LOCAL.fullmatch(local)) and _is_mail_domain(domain)


def _is_mail_domain(domain: str) -> bool:
    if not (domain.startswith("[") and domain.endswith("]")):
        return bool(_HOSTNAME.fullmatch(domain))
    ipaddress.ip_address(domain[1:-1].removeprefix("IPv6:"))
    return True


def _is_international_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and not any(char.isspace() for char in local + domain)


def _is_reference(text: str, extra: str = "", relative: bool = False) -> bool:
    patterns = _reference(extra)
    found = patterns[0].fullmatch(text) or (patterns[1].fullmatch(text) if relative else None)
    if found is not None and found["literal"] and found["literal"][0] not in "vV":
        ipaddress.IPv6Address(found["literal"])
    return found is not None


def _is_ipv6(text: str) -> bool:
    return not ipaddress.IPv6Address(text).scope_id


def _matches(pattern: str | re.Pattern[str]) -> Callable[[str], bool]:
    whole = re.compile(pattern)
    return lambda text: whole.fullmatch(text) is not None


def _is_ipv4(text: str) -> bool:
    return bool(ipaddress.IPv4Address(text))


_is_hostname = _matches(_HOSTNAME)
_ALL: Mapping[str, Callable[[str], bool]] = {
    "date": _is_date,
    "time": _is_time,
    "date-time": _is_date_time,
    "duration": _matches(_DURATION),
    "email": _is_email,
    "idn-email": _is_international_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "uuid": _matches(_UUID),
    "uri": _is_reference,
    "uri-reference": lambda text: _is_reference(text, relative=True),
    "iri": lambda text: _is_reference(text, _BEYOND_ASCII),
    "iri-reference": lambda text: _is_reference(text, _BEYOND_ASCII, relative=True),
    "uri-template": _matches(_TEMPLATE),
    "json-pointer": _matches(_POINTER),
    "relative-json-pointer": _matches(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
}
_OLDEST = ("date-time", "email", "idn-email", "hostname", "ipv4", "ipv6", "uri")
_SINCE_6 = (*_OLDEST, "uri-reference", "uri-template", "json-pointer")
_SINCE_7 = (*_SINCE_6, "date", "time", "iri", "iri-reference", "relative-json-pointer")
_OF_3: Mapping[str, Callable[[str], bool]] = {
    **{name: _ALL[name] for name in ("date", "date-time", "email", "idn-email", "ipv6", "uri")},
    "host-name": _is_hostname,
    "ip-address": _is_ipv4,
    "time": _matches(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"),
    "color": lambda text: text.lower() in _COLOURS or bool(re.fullmatch(r"#(?:[0-9A-Fa-f]{3}){1,2}", text)),
}


def formats_of(draft: str) -> dict[str, Callable[[str], bool]]:
    """The formats that a draft defines and that are checked, each with its check; a ValueError counts as no.

    Examples
    --------
    >>> formats_of("2020-12")["duration"]("P1DT2H"), formats_of("2020-12")["json-pointer"]("a/b")
    (True, False)
    """
    if draft == "draft3":
        return dict(_OF_3)
    names = {"draft4": _OLDEST, "draft6": _SINCE_6, "draft7": _SINCE_7}.get(draft, tuple(_ALL))
    return {name: _ALL[name] for name in names}
