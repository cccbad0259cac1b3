"""Lock what requirements/*.in asks for into requirements*.txt: exact versions with the hashes of every file of them.

Needs `uv` in PATH. Without arguments nothing moves that need not; `python scripts/lock.py --upgrade` takes the newest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = {
    "core": "requirements.txt",
    "query": "requirements-query.txt",
    "laptop": "requirements-laptop.txt",
    "aws": "requirements-aws.txt",
    "gcp": "requirements-gcp.txt",
    "models": "requirements-models.txt",
    "dev": "requirements-dev.txt",
    "audit": "requirements-audit.txt",
}


def main() -> None:
    """Write the locks, the core first: the others are constrained by it."""
    environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "python scripts/lock.py"}
    for name, lock in LOCKS.items():
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += ["--no-emit-index-url", f"requirements/{name}.in", "-o", lock, *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        print(f"{lock} is locked")


if __name__ == "__main__":
    main()
