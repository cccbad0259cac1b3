"""Our own API keys, for detect-secrets: they need no quotes and no name beside them to be recognised."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class TealKeyDetector(RegexBasedDetector):
    """A whole key as ``teal keys create`` prints it; shared/keys.py makes them."""

    secret_type = "Teal API key"  # noqa: S105 - the name of a kind  # pragma: allowlist secret
    denylist = (re.compile(r"\bteal_k[0-9a-f]{15}_[0-9a-f]{64}\b"),)
