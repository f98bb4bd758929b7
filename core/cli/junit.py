"""The results of route tests as JUnit XML, which continuous integration shows beside those of other tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from logweir.cli.printable import printable
from logweir.cli.route_checks import CaseResult

__all__ = ["junit_xml"]


def junit_xml(results: Mapping[Path, Sequence[CaseResult]], reports: Mapping[tuple[Path, str], str]) -> bytes:
    """Return the report.

    Args:
        results: By file of tests, how each case ended.
        reports: By file and name of a case, what is said about it.
    """
    suites = ET.Element("testsuites", _counts([each for cases in results.values() for each in cases]))
    for path, cases in results.items():
        suite = ET.SubElement(suites, "testsuite", {"name": _text(str(path)), **_counts(cases)})
        for case in cases:
            attributes = {
                "classname": _text(path.name.removesuffix("".join(path.suffixes[-1:]))),
                "name": _text(case.name),
                "file": _text(str(path)),
                "line": str(case.line),
                "time": f"{case.seconds:.6f}",
            }
            element = ET.SubElement(suite, "testcase", attributes)
            if case.failures:
                message = "; ".join(f"{failure.what}: not as expected" for failure in case.failures)
                failed = ET.SubElement(element, "failure", {"message": _text(message)})
                failed.text = _text(reports[path, case.name])
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _counts(cases: Sequence[CaseResult]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failures) for case in cases)),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(case.seconds for case in cases):.6f}",
    }


def _text(text: str) -> str:
    """XML has no control characters, escaped or not, and no lone surrogates."""
    return printable(text)
