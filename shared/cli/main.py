"""``teal`` on the command line: the same use cases as the functions, on the store the settings name.

Exit codes: 0 done, 1 done but something was held or found wrong, 2 wrong use or bad input, 3 unavailable for now.
"""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

import click
from pydantic import ValidationError
from rich.markup import escape

from shared.cli.audited import audit_commands
from shared.cli.erase import erase, erasures
from shared.cli.files import upload
from shared.cli.health import doctor, fit, rebuild, tidy
from shared.cli.keys import keys
from shared.cli.lake import datasets, rollback, snapshots
from shared.cli.published import questions
from shared.cli.questions import ask
from shared.cli.sample import sample
from shared.cli.serve import run
from shared.cli.tenants import tenants
from shared.errors import AppError
from shared.settings import Settings
from shared.terminal import err


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Teal: a bucket becomes an analytics API."""


for command in (
    run,
    upload,
    ask,
    questions,
    datasets,
    snapshots,
    rollback,
    erase,
    erasures,
    doctor,
    tidy,
    fit,
    rebuild,
    keys,
    tenants,
    sample,
):
    main.add_command(command)


def run_main() -> NoReturn:
    """The console script: errors become a line and an exit code."""
    # What a use case logs, a command says in its own words; `run` logs as the functions do.
    logging.getLogger("teal").addHandler(logging.NullHandler())
    audit_commands(main)
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _stopped()
    except AppError as error:
        _say(str(error.details.get("code", error.code)), error.message)
        sys.exit(3 if error.again else 2)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        for wrong in error.errors():
            _say("TEAL_" + "_".join(map(str, wrong["loc"])).upper(), wrong["msg"])
        sys.exit(2)
    except OSError as error:
        what = "is a file, not a folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
        _say("not usable", f"{error.filename}: {what}" if error.filename else what)
        sys.exit(2)
    sys.exit(0)


def _stopped() -> NoReturn:
    err.print("Stopped.")
    sys.exit(130)


def _say(code: str, message: str) -> None:
    err.print(f"[red]{escape(code)}[/red]: {escape(message)}", soft_wrap=True, highlight=False)
