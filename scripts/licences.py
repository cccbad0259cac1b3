"""Check under which licences everything that ships may be used: by the metadata of the installed, locked packages.

    python -m scripts.licences

Every package must name a licence of ``ALLOWED``, or stand in ``REVIEWED`` with what somebody found by reading. One that
does not is named, and the exit code is 1.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from license_expression import ExpressionError, Licensing, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SHIPPED = ("core", "query", "aws", "gcp", "models", "laptop")
"""Locks of what runs in a cloud or on a user's machine; what only checks Teal is nobody else's concern."""

ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
        "Unlicense", "Zlib",
    }
)  # fmt: skip
"""Permissive, and MPL, whose copyleft ends at its own files, which are shipped unchanged."""

SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages from before SPDX write, where only one licence can be meant. "BSD" alone can mean four."""


@dataclass(frozen=True)
class Review:
    """What reading a package's own files found: its licences as an SPDX expression, and what was decided."""

    expression: str
    reason: str


REVIEWED = {
    "iminuit": Review(
        "MIT AND LGPL-2.1-or-later",
        "Minuit2 (LGPL) is inside iminuit's own extension module, loaded by import and replaceable; in tidy alone",
    ),
    "itsdangerous": Review("BSD-3-Clause", "says only BSD; its licence file has three clauses"),
    "jinja2": Review("BSD-3-Clause", "says only BSD; its licence file has three clauses"),
    "numpy": Review(
        "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0 AND LGPL-2.1-or-later"
        " AND (GPL-3.0-or-later WITH GCC-exception-3.1)",
        "its wheels carry two libraries of GCC, loaded and replaceable: libgfortran, whose exception frees programs"
        " that merely run with it, and libquadmath (LGPL); in tidy alone",
    ),
    "pyasn1-modules": Review("BSD-2-Clause", "says only BSD; its licence file has two clauses"),
    "python-dateutil": Review("BSD-3-Clause", "says dual; its licence file puts all of it under three clauses of BSD"),
}

COPYLEFT_TEXT = re.compile(
    r"^[^\w\n]*((?:GNU (?:LESSER |AFFERO )?GENERAL PUBLIC|Server Side Public|Business Source) License)[^a-z\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""The heading of such a licence beside a package, which may carry a library that its metadata keeps quiet about."""


class LicenceError(Exception):
    """A package may not ship; the message says why."""


def shipped() -> list[str]:
    """Names of every locked package of ``SHIPPED`` that is for this platform and Python."""
    names = set()
    for lock in SHIPPED:
        path = ROOT / ("requirements.txt" if lock == "core" else f"requirements-{lock}.txt")
        for line in re.findall(r"^[a-z0-9][^\\\n]*", path.read_text(), re.MULTILINE):
            requirement = Requirement(line.strip())
            if requirement.marker is None or requirement.marker.evaluate():
                names.add(requirement.name)
    return sorted(names)


def licence_of(package: Distribution) -> str:
    """The licences of a package as an SPDX expression, all of them ALLOWED or REVIEWED. Raises LicenceError."""
    name = canonicalize_name(package.metadata["Name"])
    if name in REVIEWED:
        return REVIEWED[name].expression
    expression = declared(package)
    if expression is None:
        raise LicenceError(f"{name} does not say clearly which licence it has")
    if not is_allowed(expression):
        raise LicenceError(f"{name} is under {expression}")
    for path, text in licence_files(package):
        if found := COPYLEFT_TEXT.search(text):
            raise LicenceError(f"{name} says {expression}, but {path} holds the {found[1]}")
    return expression


def declared(package: Distribution) -> str | None:
    """What the metadata says, as SPDX: the expression, else the old field, else the classifiers taken together."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    field = (metadata.get("License") or "").strip()
    if field := SPELLINGS.get(field, field if field in ALLOWED else ""):
        return field
    classifiers = [
        one.split(" :: ")[-1] for one in metadata.get_all("Classifier") or () if one.startswith("License ::")
    ]
    known = [SPELLINGS.get(one) for one in classifiers]
    return " AND ".join(sorted({one for one in known if one})) if known and all(known) else None


@functools.cache
def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be kept with ALLOWED licences alone; one that nobody can read cannot."""
    licensing = _spdx()
    try:
        parsed = licensing.parse(expression, validate=True, strict=True)
    except ExpressionError:
        return False
    if parsed is None:
        return False
    truth = {one: licensing.TRUE if str(one) in ALLOWED else licensing.FALSE for one in parsed.symbols}
    return bool(parsed.subs(truth).simplify() == licensing.TRUE)


@functools.cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def licence_files(package: Distribution) -> list[tuple[str, str]]:
    """Path and text of each licence file that came with a package."""
    found = [path for path in package.files or () if re.search(r"(?i)licen[cs]e|copying|notice", str(path))]
    texts = [path for path in found if path.suffix in ("", ".txt", ".md", ".rst") and path.locate().is_file()]
    return [(str(path), Path(path.locate()).read_text(errors="replace")) for path in texts]


def main() -> int:
    """Say what is refused; exit code 1 if anything is."""
    refused = []
    names = shipped()
    for name in names:
        try:
            licence_of(distribution(name))
        except LicenceError as error:
            refused.append(str(error))
        except PackageNotFoundError:
            refused.append(f"{name} is locked and not installed: make setup-dev")
    for stale in sorted(set(REVIEWED) - set(names)):
        refused.append(f"{stale} was reviewed and ships no more")
    for one in refused:
        print(one, file=sys.stderr)
    print(
        f"{len(names)} packages ship, {len(names) - len(refused)} may" if refused else f"{len(names)} packages may ship"
    )
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
