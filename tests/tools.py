"""Programs whose pins disagree with ours, each in an environment of its own, and packages built to be run by them.

Everything is made on first use below the repository (``.venv-*``, ``.build``) and kept; what is being made is printed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.build_package import OWN_LOCKS, Target, compile_to_bytecode, copy_code, install_wheels, interpreter

REPOSITORY = Path(__file__).parent.parent
BUILD = REPOSITORY / ".build"
RUNTIME = "3.13"
"""What the functions run on in the clouds."""
PYTHON = interpreter(RUNTIME) or sys.executable
"""The runtime's own Python where this machine has it, else the one that runs the tests."""
VERSION = RUNTIME if interpreter(RUNTIME) else f"{sys.version_info[0]}.{sys.version_info[1]}"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]

SAM = ("aws-sam-cli==1.170.0",)
LAMBDA = ("awslambdaric==4.2.2", "boto3==1.43.106")
"""Lambda's runtime client and the SDK that Lambda's runtime brings; nothing else, so that a gap in a package shows."""
MINISTACK = ("ministack==1.5.33", "aws-sam-translator==1.115.0", "boto3==1.43.106")
"""AWS for tests, what it needs for SAM templates, and the SDK that its functions find as in Lambda's runtime."""
GOOGLE: tuple[str, ...] = ()
"""Cloud Functions' runtime is Python alone: the framework itself is part of a package."""


def sam() -> Path:
    """The ``sam`` program."""
    return environment("sam", SAM) / "bin" / "sam"


def lambda_emulator() -> Path:
    """AWS's own runtime interface emulator, which is part of ``sam``."""
    name = f"aws-lambda-rie-{ARCHITECTURE}"
    [found] = environment("sam", SAM).glob(f"lib/python*/site-packages/samcli/local/rapid/{name}")
    found.chmod(0o755)
    return found


def lambda_python() -> Path:
    """A Python as Lambda has it."""
    return environment("lambda", LAMBDA) / "bin" / "python"


def google_python() -> Path:
    """A Python as Cloud Functions has it."""
    return environment("google", GOOGLE) / "bin" / "python"


def ministack() -> Path:
    """The ``ministack`` program, able to deploy SAM templates and to run our functions."""
    return environment("ministack-sam", MINISTACK) / "bin" / "ministack"


def package(cloud: str, function: str) -> Path:
    """A function's package for this machine, built as the build script builds it, again when the code has changed."""
    target = Target(cloud, function, ARCHITECTURE, VERSION, with_wheels=True)
    folder = BUILD / f"{cloud}-{function}-{ARCHITECTURE}-{VERSION}"
    wheels = BUILD / f"{cloud}-wheels-{Path(OWN_LOCKS.get(function, 'requirements')).stem}-{ARCHITECTURE}-{VERSION}"
    with _alone(f"packages-{cloud}"):
        if _is_stale(wheels, "scripts/build_package.py", "requirements*.txt"):
            _say(f"installing {wheels}")
            shutil.rmtree(wheels, ignore_errors=True)
            wheels.mkdir()
            install_wheels(target, wheels)
            compile_to_bytecode(VERSION, wheels)
            _mark_fresh(wheels, "scripts/build_package.py", "requirements*.txt")
        if _is_stale(folder, "scripts/build_package.py", "requirements*.txt", "shared/**/*", "functions/**/*"):
            _say(f"building {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(wheels, folder, copy_function=os.link)
            copy_code(target, folder)
            compile_to_bytecode(VERSION, folder, *(["shared", "functions"] if cloud == "aws" else ["shared"]))
            _mark_fresh(folder, "scripts/build_package.py", "requirements*.txt", "shared/**/*", "functions/**/*")
    return folder


def files_of(folder: Path) -> dict[str, int]:
    """Every file below a folder with its size: what a function that stays out of its own package leaves unchanged."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def environment(name: str, requirements: tuple[str, ...]) -> Path:
    """A Python environment of its own for these requirements, made on first use."""
    folder = REPOSITORY / f".venv-{name}"
    stamp = folder / "made-for.txt"
    wanted = "\n".join((VERSION, *requirements))
    with _alone(f"venv-{name}"):
        if not stamp.exists() or stamp.read_text() != wanted:
            started = time.monotonic()
            _say(f"making {folder} for {', '.join(requirements) or 'nothing'}")
            subprocess.run([PYTHON, "-m", "venv", "--clear", folder], check=True)
            if requirements:
                pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
                subprocess.run([*pip, "--only-binary", ":all:", *requirements], check=True)
            stamp.write_text(wanted)
            _say(f"made {folder} in {time.monotonic() - started:.0f} s")
    return folder


def _is_stale(folder: Path, *sources: str) -> bool:
    stamp = BUILD / f"{folder.name}.stamp"
    return not stamp.exists() or stamp.read_text() != _fingerprint(sources)


def _mark_fresh(folder: Path, *sources: str) -> None:
    (BUILD / f"{folder.name}.stamp").write_text(_fingerprint(sources))


def _fingerprint(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for source in sources for path in REPOSITORY.glob(source)):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    # Test processes run side by side, and two of them must not make the same folder.
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text.replace(str(REPOSITORY) + os.sep, ""), file=sys.__stderr__, flush=True)
