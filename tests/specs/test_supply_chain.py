"""What Teal is made of: locked with hashes, under licences that may ship, written down, and free of secrets."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component

from scripts.build_package import FUNCTIONS
from scripts.licences import REVIEWED, LicenceError, licence_of
from scripts.licences import main as check_licences
from scripts.lock import LOCKS
from scripts.sbom import InvalidDocumentError, sbom, validated

ROOT = Path(__file__).parent.parent.parent
TOOLS = Path(sys.executable).parent
WORKFLOW = ROOT / ".github" / "workflows" / "checks.yml"
INSTALLING = ("Makefile", "functions/Makefile", "cloudbuild.yaml", ".github/workflows/checks.yml")


def requirements(lock: str) -> list[str]:
    """Every requirement of a lock with all its lines."""
    text = re.sub(r"^#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return re.split(r"\n(?=\S)", text.strip())


# --- locks


def test_every_list_of_requirements_has_its_lock_and_no_lock_is_without_one() -> None:
    assert {f"requirements/{name}.in" for name in LOCKS} == {
        f"requirements/{one.name}" for one in ROOT.glob("requirements/*")
    }
    assert set(LOCKS.values()) == {path.name for path in ROOT.glob("requirements*.txt")}


@pytest.mark.parametrize("lock", sorted(LOCKS.values()))
def test_every_line_of_a_lock_is_one_version_with_hashes(lock: str) -> None:
    found = requirements(lock)
    assert found
    for requirement in found:
        first, *others = requirement.splitlines()
        assert re.fullmatch(r"[a-z0-9._-]+==[0-9][0-9a-z.]*( ; [^\\]+)? \\", first), requirement
        hashes = [line for line in others if not line.lstrip().startswith("#")]
        assert hashes, requirement
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), requirement


def test_what_is_in_two_locks_is_the_same_in_both() -> None:
    """They are installed together; only the auditor, in an environment of its own, is alone."""
    versions: dict[str, dict[str, set[str]]] = {}
    for lock in set(LOCKS.values()) - {LOCKS["audit"]}:
        for requirement in requirements(lock):
            name, version = requirement.split(maxsplit=1)[0].split("==")
            versions.setdefault(name, {}).setdefault(lock, set()).add(version)
    for name, by_lock in versions.items():
        fullest = max(by_lock.values(), key=len)
        assert all(found <= fullest for found in by_lock.values()), f"{name}: {by_lock}"


def test_no_index_is_named_where_packages_are_locked_or_installed() -> None:
    named = re.compile(r"^--?(i|f|index-url|extra-index-url|find-links)\b|(?:https?|file|git\+\w+)://", re.MULTILINE)
    for path in [*ROOT.glob("requirements*.txt"), *ROOT.glob("requirements/*.in")]:
        assert not named.search(path.read_text()), path
    host = re.compile(r"pypi\.org|python" + r"hosted|--(extra-)?index-url|PIP_(EXTRA_)?INDEX|trusted-host")
    for name in (*INSTALLING, "pyproject.toml", "scripts/build_package.py"):
        assert not host.search((ROOT / name).read_text()), name


def test_pip_installs_nothing_without_its_hash() -> None:
    installs = []
    for name in INSTALLING:
        installs += re.findall(r"^.*\bpip install\b.*$", (ROOT / name).read_text(), re.MULTILINE)
    assert len(installs) >= 4
    for line in installs:
        assert "--require-hashes" in line, line
    assert '"--require-hashes"' in (ROOT / "scripts" / "build_package.py").read_text()


# --- secrets


def find_secrets(path: Path, text: str) -> subprocess.CompletedProcess[str]:
    path.write_text(text)
    command = [sys.executable, "-m", "scripts.find_secrets", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_planted_secrets_are_found(tmp_path: Path) -> None:
    aws_key = "AKIA" + "Z7QK4M2XW9TN5RBD"
    teal_key = f"teal_k{secrets.token_hex(8)[:15]}_{secrets.token_hex(32)}"
    planted = [
        f"client(access_key_id='{aws_key}')",
        f"curl -H 'Authorization: Bearer {teal_key}' https://api.example",
        "-----BEGIN EC " + "PRIVATE KEY-----",
    ]
    told = find_secrets(tmp_path / "planted.md", "\n".join(planted))
    assert told.returncode == 1
    found = dict(re.findall(r"planted\.md:(\d): (.+)$", told.stderr, re.MULTILINE))
    assert found == {"1": "AWS Access Key", "2": "Teal API key", "3": "Private Key"}
    assert aws_key not in told.stdout + told.stderr
    assert teal_key not in told.stdout + told.stderr


def test_a_line_that_says_why_it_is_no_secret_passes(tmp_path: Path) -> None:
    line = f'password = "{secrets.token_hex(16)}"'
    assert find_secrets(tmp_path / "a.py", line).returncode == 1
    assert find_secrets(tmp_path / "b.py", f"{line}  # of a test  # pragma: allowlist secret").returncode == 0


def test_every_find_that_is_let_be_was_looked_at_and_they_are_few() -> None:
    known = json.loads((ROOT / ".secrets.baseline").read_text())["results"]
    finds = [one for found in known.values() for one in found]
    assert all(one["is_secret"] is False for one in finds)
    assert len(finds) < 30
    assert all((ROOT / path).is_file() for path in known)


# --- licences


def planted(folder: Path, metadata: str, **files: str) -> Distribution:
    """An installed package with this metadata and these files beside it."""
    home = folder / "planted-1.0.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Metadata-Version: 2.4\nName: planted\nVersion: 1.0\n{metadata}\n")
    for name, text in files.items():
        (home / name).write_text(text)
    (home / "RECORD").write_text("".join(f"{home.name}/{name},,\n" for name in files))
    return Distribution.at(home)


@pytest.mark.parametrize(
    "metadata",
    [
        "License-Expression: GPL-3.0-only",
        "License-Expression: MIT AND AGPL-3.0-or-later",
        "License-Expression: LGPL-2.1-only",
        "License-Expression: BUSL-1.1",
        "License-Expression: SSPL-1.0",
        "License-Expression: GPL-2.0-only WITH Classpath-exception-2.0",
        "License-Expression: LicenseRef-Proprietary",
        "License-Expression: MIT AND",
        "License: GPLv3",
        "License: BSD",
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "Classifier: License :: OSI Approved :: MIT License\n"
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
        "Classifier: License :: Other/Proprietary License",
        "Summary: of which nobody says who may use it",
    ],
)
def test_a_package_that_may_not_ship_is_refused(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(LicenceError, match="planted"):
        licence_of(planted(tmp_path, metadata))


@pytest.mark.parametrize(
    ("metadata", "expression"),
    [
        ("License-Expression: Apache-2.0 OR GPL-2.0-only", "Apache-2.0 OR GPL-2.0-only"),
        ("License: Apache 2.0", "Apache-2.0"),
        ("License: see file\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
    ],
)
def test_a_package_that_may_ship_passes(tmp_path: Path, metadata: str, expression: str) -> None:
    assert licence_of(planted(tmp_path, metadata, LICENSE="Permission is hereby granted")) == expression


def test_a_licence_that_the_metadata_keeps_quiet_about_is_found_beside_the_package(tmp_path: Path) -> None:
    text = "Our code is MIT.\n\n      GNU LESSER GENERAL PUBLIC LICENSE\n        Version 3, 29 June 2007\n"
    with pytest.raises(LicenceError, match="LESSER"):
        licence_of(planted(tmp_path, "License-Expression: MIT", LICENSE=text))


def test_everything_that_ships_may(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_licences() == 0, capsys.readouterr().err
    assert all(review.reason for review in REVIEWED.values())


# --- bills of materials


@pytest.fixture(scope="module", params=["aws", "gcp"])
def documents(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """The documents of one cloud by function."""
    return {function: {"cloud": request.param, **json.loads(sbom(request.param, function))} for function in FUNCTIONS}


def test_a_document_names_what_is_locked_with_version_hashes_and_licence(documents: dict[str, dict[str, Any]]) -> None:
    own = {"query": [LOCKS["query"]], "tidy": [LOCKS["models"]]}
    for function, document in documents.items():
        assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
        locked = {}
        for lock in (LOCKS["core"], LOCKS[document["cloud"]], *own.get(function, [])):
            for requirement in requirements(lock):
                name_and_version = requirement.split(maxsplit=1)[0]
                locked[name_and_version] = set(re.findall(r"sha256:([0-9a-f]{64})", requirement))
        assert len(document["components"]) > 20
        for component in document["components"]:
            name, version = component["name"], component["version"]
            assert {one["content"] for one in component["hashes"]} == locked[f"{name}=={version}"]
            assert component["purl"] == f"pkg:pypi/{name}@{version}"
            assert component["licenses"][0]["expression"]
    names = {function: {one["name"] for one in document["components"]} for function, document in documents.items()}
    assert {"mcp", "pyjwt", "duckdb"} <= names["query"]
    assert {"numpy", "iminuit", "duckdb"} <= names["tidy"]
    assert not {"mcp", "pyjwt", "numpy", "pytest", "detect-secrets"} & names["ingest"]


def test_everything_in_a_document_is_there_because_something_asks_for_it(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        asked = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
        reached, todo = set(), [document["metadata"]["component"]["bom-ref"]]
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo += asked.get(one, [])
        assert {one["bom-ref"] for one in document["components"]} <= reached


def test_every_function_has_a_package_and_so_a_document() -> None:
    assert set(FUNCTIONS) == {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}


def test_the_same_locks_give_the_same_document() -> None:
    assert sbom("aws", "ingest") == sbom("aws", "ingest")


def test_a_document_that_breaks_the_schema_is_not_written() -> None:
    wrong = Component(name="planted", hashes=[HashType(alg=HashAlgorithm.SHA_256, content="not a hash")])
    with pytest.raises(InvalidDocumentError, match="not a hash"):
        validated(Bom(components=[wrong]))


# --- checks, here and hosted


def test_check_runs_all_of_it() -> None:
    found = re.search(r"^check: (.*) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    assert {"lint", "types", "layers", "secrets", "licences", "sbom", "test"} <= set(found[1].split())


@pytest.mark.parametrize(
    "name", ["shared/planted.py", "functions/planted.py", "scripts/planted.py", "tests/planted.py"]
)
def test_unsafe_code_is_refused_everywhere(name: str) -> None:
    code = "import pickle\n\n\ndef planted(data: bytes) -> object:\n    return pickle.loads(data), eval(data)\n"
    command = [str(TOOLS / "ruff"), "check", "--output-format", "concise", "--no-cache", "--stdin-filename", name, "-"]
    told = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False)
    assert {"S301", "S307"} <= set(re.findall(r"\bS\d+\b", told.stdout)), told.stdout


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.github-workflows", WORKFLOW), ("vendor.dependabot", WORKFLOW.parent.parent / "dependabot.yml")],
)
def test_the_hosted_pipeline_is_valid(schema: str, path: Path) -> None:
    command = [str(TOOLS / "check-jsonschema"), "--builtin-schema", schema, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_the_hosted_pipeline_may_only_read_and_runs_actions_by_commit() -> None:
    text = WORKFLOW.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]
    used = re.findall(r"uses: (.*)$", text, re.MULTILINE)
    assert len(used) >= 6
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
    assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@") == len(workflow["jobs"])


def test_the_hosted_pipeline_tests_every_python_and_audits_every_lock() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    audit = jobs["audit"]["steps"][-1]["run"]
    assert "requirements*.txt" in audit
    assert "pip_audit --strict --require-hashes" in audit
