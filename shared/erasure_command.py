"""The commands that erase a person and let one in again, as those who give them and those who obey them write them."""

from __future__ import annotations

ERASE, READMIT = "erase", "readmit"
MODES = ("anonymise", "delete")
"""What becomes of the person's orders and events."""
FILES = ("delete", "keep")
"""What becomes of inbox files that mention the person."""
ALREADY = "already_erased"
"""The reason code of an erasure that had been done before."""
