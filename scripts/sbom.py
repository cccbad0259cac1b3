"""Write down what each function's package is made of: a CycloneDX 1.6 document per function and cloud, from the locks.

    python -m scripts.sbom --into .build/sbom

The same locks give the same bytes. A document is compared with CycloneDX's own schema before it is written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
import uuid
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from scripts.build_package import ENTRY_POINTS, FUNCTIONS, ROOT, Target, locked_requirements, locks_of
from scripts.licences import LicenceError, licence_of

OURS = "-r requirements/"
"""How a lock marks what we ask for ourselves, where it names who asks for a package."""


class InvalidDocumentError(Exception):
    """The document is not valid CycloneDX; the message says why."""


def sbom(cloud: str, function: str) -> str:
    """The document of one package. Raises LicenceError, InvalidDocumentError, PackageNotFoundError."""
    target = Target(cloud, function, "arm64", "3.13", with_wheels=True)
    lock = locked_requirements(target)
    teal = project(cloud, function)
    components = [library(requirement) for requirement in re.split(r"\n(?=[a-z0-9])", lock.strip())]
    document = Bom(
        # Nothing random and no time: a document that changed means that a package did.
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{teal.bom_ref}\n{lock}"),
        components=components,
    )
    document.metadata.component = teal
    by_name = {component.name: component for component in components}
    askers = asked_by(locks_of(target))
    for component in components:
        for asker in askers[component.name]:
            if asker.startswith(OURS):
                document.register_dependency(teal, [component])
            elif asker in by_name:
                document.register_dependency(by_name[asker], [component])
    return validated(document)


def project(cloud: str, function: str) -> Component:
    """Our own part of a package."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = f"{about['name']}-{function}-{cloud}"
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=about["version"],
        purl=PackageURL("generic", name=name, version=about["version"]),
        bom_ref=f"{name}@{about['version']}",
        licenses=[LicenseExpression(about["license"])],
    )


def library(requirement: str) -> Component:
    """A locked requirement; its hashes are those of every file that may be installed for it."""
    name, version = requirement.split(maxsplit=1)[0].split("==")
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", requirement)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=PackageURL("pypi", name=name, version=version),
        bom_ref=f"{name}@{version}",
        licenses=[LicenseExpression(licence_of(distribution(name)))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes],
    )


def asked_by(locks: tuple[str, ...]) -> dict[str, set[str]]:
    """Who asks for each package: other packages, and our own lists as ``-r requirements/<name>.in``."""
    found: dict[str, set[str]] = {}
    for lock in locks:
        for requirement in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text()):
            name = requirement.split("==")[0]
            found.setdefault(name, set()).update(re.findall(r"^ +# +(?:via )?(\S.*)$", requirement, re.MULTILINE))
    return found


def validated(document: Bom) -> str:
    """A document as JSON text. Raises InvalidDocumentError."""
    body = json.loads(JsonV1Dot6(document).output_as_string())
    del body["metadata"]["timestamp"]
    text = json.dumps(body, indent=1) + "\n"
    if found := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise InvalidDocumentError(str(found))
    return text


def main() -> int:
    """Write all documents into a folder; exit code 1 if one cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, required=True, help="folder for <cloud>-<function>.json")
    into = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    for cloud in sorted(ENTRY_POINTS):
        for function in FUNCTIONS:
            path = into / f"{cloud}-{function}.json"
            try:
                path.write_text(sbom(cloud, function))
            except (InvalidDocumentError, LicenceError, PackageNotFoundError) as error:
                print(f"{path}: {error}", file=sys.stderr)
                return 1
            print(f"{path}: {len(json.loads(path.read_text())['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
