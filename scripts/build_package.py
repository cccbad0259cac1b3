"""Build what a function runs from, without Docker and for any machine: a folder with our code and locked wheels.

    python scripts/build_package.py aws query --into .build/aws/query --architecture arm64
    python scripts/build_package.py gcp ingest --into .build/gcp/ingest              (the cloud installs the wheels)
    python scripts/build_package.py gcp ingest --into .build/local --with-wheels     (to run it here)

Standard library only. A package that is too large, made for another processor or newer than the runtime's C library is
not a package: the folder is removed and the exit code is 1.
"""

from __future__ import annotations

import argparse
import functools
import operator
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = ("query", "ingest", "tidy", "work")
LIMITS_MB = {"aws": 180, "gcp": 220}
"""Unzipped. Lambda itself takes 250; Google's own libraries are 30 MB, and there they are installed by the cloud."""
MODELS_MB = 60
"""What fits models comes on top, in the one function that does."""
FITS_MODELS = "tidy"
OWN_LOCKS = {"query": "requirements-query.txt", FITS_MODELS: "requirements-models.txt"}
"""What one function alone carries. The one that opens strangers' files and may write has nothing beyond the core."""
NEWEST_GLIBC = (2, 34)
"""Of Amazon Linux 2023, under Lambda's python3.12 and later. Cloud Functions' Ubuntu 22.04 has 2.35."""
OLDEST_MANYLINUX = 17
ENTRY_POINTS = {"aws": "handler.py", "gcp": "main.py"}
IN_LAMBDA_RUNTIME = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
"""Lambda's Python runtimes bring the AWS SDK and what it needs."""
COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
UNUSED = (
    "tests",
    "test",
    "bin",
    "__pycache__",
    "*.pyi",
    "py.typed",
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
)
"""Of the installed wheels. Licences stay, which are due to their authors, and METADATA, which is read at run time."""
LAPTOP_ONLY = tuple(
    f"{name}{suffix}" for name in ("cli", "laptop", "remote", "sample", "terminal") for suffix in ("", ".py")
)
"""Of our own code, as modules or folders: the command line, how it looks, and how it talks to a deployed API."""
UNUSED_PARTS = (
    "duckdb/experimental",
    "adbc_driver_duckdb",
    "_duckdb-stubs",
    "aws_lambda_powertools/event_handler",
    "cffi",
    "jsonschema/benchmarks",
    "mcp/cli",
    "pycparser",
    "pydantic/v1",
)
"""FastAPI imports pydantic.v1 only to find out that nobody uses it, and takes its absence for an answer (35 ms).
Of cffi, cryptography's wheels need the library beside it alone; pycparser serves cffi."""


class PackageError(Exception):
    """The package would not work; the message says why."""


@dataclass(frozen=True)
class Target:
    """What the package is for."""

    cloud: str
    function: str
    architecture: str
    python: str
    with_wheels: bool


def build(target: Target, into: Path) -> None:
    """Fill an empty or absent folder. Raises PackageError, CalledProcessError."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    if target.with_wheels:
        install_wheels(target, into)
    else:
        (into / "requirements.txt").write_text(locked_requirements(target))
    copy_code(target, into)
    if target.with_wheels:
        compile_to_bytecode(target.python, into)
        check(target, into)


def locks_of(target: Target) -> tuple[str, ...]:
    """The files of locked requirements that a package is made from."""
    own = (OWN_LOCKS[target.function],) if target.function in OWN_LOCKS else ()
    return ("requirements.txt", f"requirements-{target.cloud}.txt", *own)


def locked_requirements(target: Target) -> str:
    """The lock of everything this package carries: of core, cloud and function, less what the runtime brings."""
    absent = IN_LAMBDA_RUNTIME if target.cloud == "aws" else frozenset()
    requirements: dict[str, str] = {}
    for lock in locks_of(target):
        for requirement in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text()):
            name = re.match(r"[a-z0-9._-]+(?===)", requirement)
            marker = re.search(r" ; ([^\\\n]+)", requirement)
            if name and name[0] not in absent and (marker is None or holds(marker[1], target.python)):
                # pip would ask the Python that it runs on instead of the one it installs for.
                requirements[name[0]] = requirement.replace(marker[0], " ").strip() if marker else requirement.strip()
    return "\n".join(requirements[name] for name in sorted(requirements)) + "\n"


def holds(marker: str, python: str) -> bool:
    """Whether a lock's marker is true for CPython of a version such as 3.13. Raises PackageError for an unknown one."""
    facts = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "sys_platform": "linux"}

    def is_true(comparison: str) -> bool:
        found = re.fullmatch(r"(\w+) ([<>=!]+) '([\w.]+)'", comparison.strip())
        if found and found[2] in COMPARISONS:
            if found[1] in ("python_version", "python_full_version"):
                return COMPARISONS[found[2]](_numbers(python), _numbers(found[3]))
            if found[1] in facts:
                return COMPARISONS[found[2]](facts[found[1]], found[3])
        raise PackageError(f"the lock has a marker this script cannot read: {marker}")

    return any(all(is_true(one) for one in every.split(" and ")) for every in marker.split(" or "))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def install_wheels(target: Target, into: Path) -> None:
    """Install wheels of the target's processor and Python, whatever this machine is; then drop what nothing reads."""
    machine = PLATFORMS[target.architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC[1], OLDEST_MANYLINUX - 1, -1)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
    # Older pips hold Requires-Python against the Python that they run on; the lock was made for the target's.
    command += ["--python-version", target.python, "--ignore-requires-python", "--target", str(into)]
    for platform in (*platforms, f"manylinux2014_{machine}"):
        command += ["--platform", platform]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        lock.write(locked_requirements(target))
        lock.flush()
        subprocess.run([*command, "--requirement", lock.name], check=True)
    for pattern in UNUSED:
        for path in sorted(into.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for part in UNUSED_PARTS:
        shutil.rmtree(into / part, ignore_errors=True)


def copy_code(target: Target, into: Path) -> None:
    """Our own code: the library, without the command line, and this function's one entry point.

    Lambda names its handler by path; Cloud Functions wants ``main.py`` at the top.
    """
    ignored = shutil.ignore_patterns("__pycache__", *LAPTOP_ONLY)
    shutil.copytree(ROOT / "shared", into / "shared", ignore=ignored, dirs_exist_ok=True)
    shutil.copy(ROOT / "LICENSE", into)
    entry_point = ROOT / "functions" / target.function / ENTRY_POINTS[target.cloud]
    if target.cloud == "gcp":
        shutil.copy(entry_point, into / "main.py")
        return
    home = into / "functions" / target.function
    home.mkdir(parents=True)
    for package in (into / "functions", home):
        (package / "__init__.py").touch()
    shutil.copy(entry_point, home)


def compile_to_bytecode(version: str, package: Path, *parts: str) -> None:
    """Byte-compile a package, or some folders of it, with the runtime's own version of Python.

    Its folder is read-only, so it would compile at every start. Unchecked hashes, because nothing changes there and
    file times do not survive a zip.
    """
    python = interpreter(version)
    if python is None:
        print(f"no python{version} on this machine: not byte-compiled, each cold start takes 0.4 s longer")
        return
    command = [python, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    folders = [str(package / part) for part in parts] or [str(package)]
    subprocess.run([*command, "-s", str(package), "-p", "/var/task", *folders], check=True, env=_clean_environment())


@functools.cache
def interpreter(version: str) -> str | None:
    """A Python of exactly that version (as ``3.13``): this one, one in PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(str(path) for path in pyenv.glob(f"{version}.*/bin/python"))
    for candidate in (sys.executable, shutil.which(f"python{version}"), *found):
        if candidate and _version_of(candidate) == version:
            return candidate
    return None


def _version_of(python: str) -> str:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    asked = subprocess.run(
        [python, "-c", script], capture_output=True, text=True, check=False, env=_clean_environment()
    )
    return asked.stdout.strip()


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def check(target: Target, package: Path) -> None:
    """Raises PackageError when the package is too large, or has libraries the runtime could not load."""
    size, limit = size_mb(package), LIMITS_MB[target.cloud] + MODELS_MB * (target.function == FITS_MODELS)
    if size > limit:
        raise PackageError(f"{size:.0f} MB unzipped, more than {limit}")
    for library in libraries(package):
        name = library.relative_to(package)
        if elf_machine(library) != ELF_MACHINES[target.architecture]:
            raise PackageError(f"{name} is not for {target.architecture}")
        if newest_glibc(library) > NEWEST_GLIBC:
            raise PackageError(f"{name} needs glibc {newest_glibc(library)}, the runtime has {NEWEST_GLIBC}")
        abi = re.search(r"\.cpython-(\d)(\d+)-", library.name)
        if abi and f"{abi[1]}.{abi[2]}" != target.python:
            raise PackageError(f"{name} is not for Python {target.python}")


def size_mb(package: Path) -> float:
    """Megabytes (10⁶ bytes) of all files."""
    return sum(path.stat().st_size for path in package.rglob("*") if path.is_file()) / 1e6


def libraries(package: Path) -> Iterator[Path]:
    """Every ELF file of the package, whatever its name: DuckDB's extensions have one of their own."""
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def elf_machine(library: Path) -> int:
    """The processor an ELF file is for (e_machine)."""
    with library.open("rb") as file:
        return int(struct.unpack("<H", file.read(20)[18:20])[0])


def newest_glibc(library: Path) -> tuple[int, int]:
    """The newest glibc version named anywhere in the file: never less than what it needs."""
    named = re.findall(rb"\bGLIBC_(\d+)\.(\d+)", library.read_bytes())
    return max(((int(major), int(minor)) for major, minor in named), default=(0, 0))


def main() -> int:
    """Build one package as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cloud", choices=sorted(ENTRY_POINTS))
    parser.add_argument("function", choices=FUNCTIONS)
    parser.add_argument("--into", type=Path, required=True, help="folder to fill; what is in it is removed")
    parser.add_argument("--architecture", choices=sorted(PLATFORMS), default="arm64")
    parser.add_argument("--python", default="3.13", help="the runtime's version")
    parser.add_argument("--with-wheels", action="store_true", help="for gcp: install the wheels here, not in the cloud")
    told = parser.parse_args()
    with_wheels = told.with_wheels or told.cloud == "aws"
    target = Target(told.cloud, told.function, told.architecture, told.python, with_wheels)
    try:
        build(target, told.into.absolute())
    except (PackageError, subprocess.CalledProcessError) as error:
        shutil.rmtree(told.into, ignore_errors=True)
        print(f"{told.function} for {told.cloud}: {error}", file=sys.stderr)
        return 1
    print(f"{told.into}: {size_mb(told.into):.0f} MB, {target.architecture}, Python {target.python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
