"""The command line: the recipes of the app, JSON out. Heavy imports wait until they are needed."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence

from core.cli.parser import EXIT_BAD_INPUT, parsed
from core.cli.shared import show_progress
from core.errors import Cancelled, MeaningSpaceError
from core.watching import watching

EXIT_INTERRUPTED = 130


def _log_on_stderr() -> None:
    """What the program notes (something damaged, a full disk), in the form of its errors."""
    logger = logging.getLogger("core")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("meaning-space: %(message)s"))
        logger.addHandler(handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 with one line on stderr that says what to mend."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # any word can be told to any terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    options = parsed(arguments)
    _log_on_stderr()
    if options.workspace is not None:
        os.environ["MEANING_SPACE_WORKSPACE"] = str(options.workspace)
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        with watching(show_progress):
            run(options)
    except Cancelled as stopped:
        print(f"meaning-space: {' '.join(str(stopped).split())}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except MeaningSpaceError as error:
        print(f"meaning-space: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"meaning-space: found {error.strerror or error}{where}; "
            "expected files that can be read and written: check the path",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0
