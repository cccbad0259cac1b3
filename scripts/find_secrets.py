"""Refuse keys, tokens and passwords in files, with detect-secrets and what .secrets.baseline says of its finds.

    python -m scripts.find_secrets            (every file that git knows or would add)
    python -m scripts.find_secrets FILE …

What is no secret gets ``# pragma: allowlist secret`` on its line, and a reason. Where a line takes no comment it gets
an entry of the baseline: ``detect-secrets scan --baseline .secrets.baseline``, then ``detect-secrets audit`` on that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection

ROOT = Path(__file__).parent.parent
BASELINE = ".secrets.baseline"


def main() -> int:
    """Say what is found; exit code 1 if anything is that nobody has looked at."""
    os.chdir(ROOT)  # the baseline names files, and our own detector, from here
    known = baseline.load(baseline.load_from_file(BASELINE), BASELINE)
    everything = not sys.argv[1:]
    files = _files_of_repository() if everything else sys.argv[1:]
    found = SecretsCollection()
    found.scan_files(*files)
    complaints = [f"{path}:{one.line_number}: {one.type}" for path, one in found - known]
    complaints += [
        f"{path}: nobody has audited this {one.type} of the baseline"
        for path, one in known
        if one.is_secret is not False
    ]
    if everything:
        complaints += [f"{path}: the baseline's {one.type} is gone: take it out" for path, one in known - found]
    for complaint in sorted(complaints):
        print(complaint, file=sys.stderr)
    if not complaints:
        print(f"no secrets in {len(files)} files")
    return 1 if complaints else 0


def _files_of_repository() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and Path(name).is_file()]


if __name__ == "__main__":
    sys.exit(main())
