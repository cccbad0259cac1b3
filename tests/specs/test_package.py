"""Packages for both processors: small enough, only wheels the runtime can load, only what this cloud needs."""

from __future__ import annotations

import ast
import itertools
import platform
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from scripts.build_package import (
    FUNCTIONS,
    LAPTOP_ONLY,
    LIMITS_MB,
    PackageError,
    Target,
    build,
    check,
    holds,
    interpreter,
    libraries,
    locked_requirements,
    newest_glibc,
    size_mb,
)

ROOT = Path(__file__).parent.parent.parent
MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
THIS_MACHINE = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64", "arm64": "EM_AARCH64"}[platform.machine()]
PACKAGES_OF_MODULES = {
    "backports": "backports-zstd", "dotenv": "python-dotenv", "google": "google-cloud-storage", "jwt": "pyjwt",
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(MACHINES))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The query function's package, the largest, for Lambda."""
    folder = tmp_path_factory.mktemp(request.param) / "query"
    build(Target("aws", "query", request.param, "3.13", with_wheels=True), folder)
    return request.param, folder


def needed_glibc(library: Path) -> tuple[int, int]:
    """The newest glibc an ELF file asks for, from its table of needed versions."""
    newest = (0, 0)
    with library.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for _, wanted in section.iter_versions():
                    for version in wanted:
                        if match := re.fullmatch(r"GLIBC_(\d+)\.(\d+).*", version.name):
                            newest = max(newest, (int(match[1]), int(match[2])))
    return newest


def test_the_package_fits(built: tuple[str, Path]) -> None:
    assert 100 < size_mb(built[1]) <= LIMITS_MB["aws"]


def test_every_library_is_for_that_processor_and_its_c_library_is_there(built: tuple[str, Path]) -> None:
    architecture, folder = built
    found = list(libraries(folder))
    assert {"httpfs.duckdb_extension", "ducklake.duckdb_extension"} <= {library.name for library in found}
    for library in found:
        with library.open("rb") as file:
            assert ELFFile(file)["e_machine"] == MACHINES[architecture], library
        assert needed_glibc(library) <= newest_glibc(library) <= (2, 34), library


def test_lambda_s_package_carries_neither_its_runtime_s_sdk_nor_another_cloud_s(built: tuple[str, Path]) -> None:
    names = {path.name for path in built[1].iterdir()}
    assert not names & {"boto3", "botocore", "google", "functions_framework", "pytest", "pip", "pyarrow", "pandas"}
    assert {"duckdb", "fastapi", "mangum", "shared", "functions"} <= names


def test_only_this_function_s_entry_point_of_this_cloud_is_inside(built: tuple[str, Path]) -> None:
    found = {str(path.relative_to(built[1])) for path in (built[1] / "functions").rglob("*.py")}
    assert found == {"functions/__init__.py", "functions/query/__init__.py", "functions/query/handler.py"}
    assert not list(built[1].rglob("tests"))


def test_what_only_a_laptop_needs_stays_there(built: tuple[str, Path]) -> None:
    """Neither those modules nor anything that imports them, in whichever shape they are: a file or a folder."""
    stems = {Path(name).stem for name in LAPTOP_ONLY}
    assert {"cli", "laptop", "remote", "terminal"} <= stems
    assert {path.stem for path in (ROOT / "shared").iterdir()} >= stems, "a name that is not in use protects nothing"
    for path in (built[1] / "shared").rglob("*"):
        assert path.stem not in stems, path
    assert not (built[1] / "rich").exists()
    for path in (built[1] / "shared").rglob("*.py"):
        own = {name.split(".")[1] for name in imports(path) if name.startswith("shared.")}
        assert not own & stems, path


def test_our_own_licence_is_inside_and_no_tests_are(built: tuple[str, Path]) -> None:
    assert (built[1] / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    found = [path for path in built[1].rglob("*") if path.name in ("tests", "test", "conftest.py", "benchmarks")]
    assert found == []


def test_the_extensions_are_signed_by_duckdb(built: tuple[str, Path]) -> None:
    """DuckDB itself checks the signature here, on whichever processor that can run this machine's library."""
    if MACHINES[built[0]] != THIS_MACHINE:
        return
    found = list(built[1].glob("duckdb_extension_*/extensions/*/*.duckdb_extension"))
    assert len(found) == 2
    for path in found:
        with duckdb.connect(config={"allow_unsigned_extensions": "false"}) as connection:
            connection.execute(f"LOAD '{path}'")


def test_a_changed_extension_is_not_signed(built: tuple[str, Path], tmp_path: Path) -> None:
    if MACHINES[built[0]] != THIS_MACHINE:
        return
    [path] = built[1].glob("duckdb_extension_httpfs/extensions/*/*.duckdb_extension")
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / path.name).write_bytes(changed)
    with duckdb.connect() as connection, pytest.raises(duckdb.IOException, match="signature"):
        connection.execute(f"LOAD '{tmp_path / path.name}'")


def test_building_prints_the_size(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/build_package.py", "gcp", "tidy", "--into", str(tmp_path / "tidy")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(r"/tidy: \d+ MB, arm64, Python 3\.13$", ran.stdout.strip()), ran.stdout


def test_licences_of_everything_inside_are_inside(built: tuple[str, Path]) -> None:
    for metadata in built[1].glob("*.dist-info"):
        assert (metadata / "METADATA").exists()
        assert not (metadata / "RECORD").exists()  # it would lie: files were left out
    assert len(list(built[1].glob("*.dist-info/**/LICEN*"))) > 10


def test_bytecode_is_the_runtime_s_and_is_trusted_without_a_look_at_the_source(built: tuple[str, Path]) -> None:
    python = interpreter("3.13")
    compiled = list(built[1].glob("shared/**/*.pyc"))
    if python is None:
        assert compiled == []
        return
    assert compiled
    script = "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"
    magic = subprocess.run([python, "-c", script], capture_output=True, check=True).stdout
    for path in compiled:
        header = path.read_bytes()[:8]
        assert header[:4] == magic, path
        assert int.from_bytes(header[4:8], "little") == 0b01, path  # hash-based, unchecked (PEP 552)


def test_only_a_python_of_that_very_version_compiles() -> None:
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert interpreter(running) is not None
    assert interpreter("3.99") is None
    for version in ("3.12", "3.13"):
        if python := interpreter(version):
            told = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout
            assert told.startswith(f"Python {version}."), python


def test_bytecode_names_the_task_folder_and_not_this_machine(built: tuple[str, Path]) -> None:
    text = b"".join(path.read_bytes() for path in built[1].glob("shared/__pycache__/*.pyc"))
    assert str(built[1]).encode() not in text
    assert (b"/var/task/shared/errors.py" in text) == (interpreter("3.13") is not None)


def test_a_library_for_another_processor_is_no_package(built: tuple[str, Path]) -> None:
    architecture, folder = built
    other = next(machine for machine in MACHINES if machine != architecture)
    with pytest.raises(PackageError, match="is not for"):
        check(Target("aws", "query", other, "3.13", with_wheels=True), folder)


def test_a_library_that_needs_a_newer_c_library_is_no_package(built: tuple[str, Path], tmp_path: Path) -> None:
    library = next(libraries(built[1]))
    planted = tmp_path / "newer.so"
    planted.write_bytes(library.read_bytes()[:4096] + b"\0GLIBC_2.38\0")
    with pytest.raises(PackageError, match="glibc"):
        check(Target("aws", "query", built[0], "3.13", with_wheels=True), tmp_path)


def test_google_gets_sources_and_a_hashed_lock_to_install(tmp_path: Path) -> None:
    build(Target("gcp", "ingest", "x86_64", "3.13", with_wheels=False), tmp_path / "ingest")
    found = {path.name for path in (tmp_path / "ingest").iterdir()}
    assert found == {"LICENSE", "main.py", "requirements.txt", "shared"}
    assert (tmp_path / "ingest" / "main.py").read_text() == (ROOT / "functions" / "ingest" / "main.py").read_text()


def locked(cloud: str, function: str) -> str:
    return locked_requirements(Target(cloud, function, "x86_64", "3.13", with_wheels=True))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_every_locked_requirement_has_a_version_and_hashes(cloud: str, function: str) -> None:
    requirements = re.split(r"\n(?=[a-z0-9])", locked(cloud, function).strip())
    for requirement in requirements:
        assert re.match(r"[a-z0-9._-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement
    assert len(requirements) > 15


def test_everything_the_functions_import_is_locked() -> None:
    known = {"boto3", "botocore"}  # Lambda's runtime brings them, the lock of Google's package does not need them
    for cloud, function in itertools.product(("aws", "gcp"), ("query", "tidy")):
        known |= names_of(locked(cloud, function))
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        if set(path.relative_to(ROOT).parts) & set(LAPTOP_ONLY):
            continue
        for name in foreign_imports(path):
            assert PACKAGES_OF_MODULES.get(name, name.replace("_", "-")) in known, f"{path.name} imports {name}"


def test_only_what_fits_models_carries_their_libraries() -> None:
    for cloud in ("aws", "gcp"):
        assert "numpy==" in locked(cloud, "tidy")
        assert not [name for name in ("numpy==", "iminuit==") if name in locked(cloud, "query")]
    for path in (ROOT / "shared").rglob("*.py"):
        if {"numpy", "iminuit"} & foreign_imports(path):
            assert {"models", "fitted"} & set(path.parts), path


def test_only_what_is_asked_carries_what_checks_who_asks_and_answers_agents() -> None:
    """Least of all the function that opens strangers' files."""
    for cloud in ("aws", "gcp"):
        assert {"mcp", "pyjwt", "cryptography"} <= names_of(locked(cloud, "query"))
        for function in set(FUNCTIONS) - {"query"}:
            assert not {"mcp", "pyjwt", "python-multipart", "sse-starlette"} & names_of(locked(cloud, function))
    assert not {"cryptography", "click", "httpx2", "uvicorn"} & names_of(locked("aws", "ingest"))


def test_what_is_left_out_of_libraries_is_not_missed(built: tuple[str, Path], tmp_path: Path) -> None:
    """In the runtime's own Python, without anything of this repository's environment."""
    python = interpreter("3.13")
    if python is None or MACHINES[built[0]] != THIS_MACHINE:
        return
    script = """
import jwt, mcp.server.lowlevel, mcp.server.streamable_http_manager, sys
from cryptography.hazmat.primitives.asymmetric import ec, rsa
keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1())}
for algorithm, key in keys.items():
    token = jwt.encode({"aud": "teal"}, key, algorithm)
    assert jwt.decode(token, key.public_key(), [algorithm], audience="teal") == {"aud": "teal"}
assert all(module.__file__.startswith(sys.path[1]) for module in (jwt, mcp))
"""
    environment = {"PYTHONPATH": str(built[1]), "HOME": str(tmp_path), "AWS_REGION": "eu-central-1"}
    ran = subprocess.run(
        [python, "-s", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_what_is_installed_is_for_the_python_of_the_function_and_not_for_ours() -> None:
    def numpy_of(python: str) -> list[str]:
        lock = locked_requirements(Target("aws", "tidy", "x86_64", python, with_wheels=True))
        assert " ; " not in lock
        return re.findall(r"^numpy==(\S+)", lock, re.M)

    told = (ROOT / "requirements-models.txt").read_text()
    for python, marker in (("3.11", "< '3.12'"), ("3.12", ">= '3.12'"), ("3.13", ">= '3.12'")):
        assert numpy_of(python) == re.findall(rf"^numpy==(\S+) ; python_full_version {marker}", told, re.M)
    with pytest.raises(PackageError):
        holds("platform_machine == 'arm64'", "3.13")


def names_of(lock: str) -> set[str]:
    """The packages of a lock."""
    return set(re.findall(r"^([a-z0-9._-]+)==", lock, re.M))


def imports(path: Path) -> set[str]:
    """Full names of everything a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def foreign_imports(path: Path) -> set[str]:
    """Top-level modules a file imports anywhere, less the standard library's and our own."""
    names = {name.split(".")[0] for name in imports(path)}
    return names - set(sys.stdlib_module_names) - {"shared", "functions", "__future__"}
