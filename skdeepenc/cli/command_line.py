"""Where words become a command, and whatever goes wrong becomes one line.

Whatever its type, an error is one line on standard error and exit code 2. Where the reader of the
output has gone away, as ``| head`` does, the command ends quietly.
"""

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from skdeepenc._version import __version__
from skdeepenc.cli import (
    browse,
    cache,
    convert,
    demo,
    describe,
    duplicates,
    encode,
    export,
    extract,
    fit,
    index,
    layers,
    models,
    publish,
    reproduce,
    search,
    update,
    verify,
)
from skdeepenc.cli.messages import Parser, one_line, print_failure

FAILURE = 2
INTERRUPTED = 130
COMMANDS = (
    *(demo, reproduce, layers, describe, extract, models, cache),
    *(export, verify, convert),
    *(fit, encode, index, update, search, duplicates, browse, publish),
)
#: Set in the environment, it shows where an error that nobody foresaw came from.
DEBUG_VARIABLE = "SKDEEPENC_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, default=None
        The words after the command's name; None takes those that the process was given.

    Returns
    -------
    int
        The exit code: 0, 2 where something went wrong, or 130 where it was interrupted.

    Examples
    --------
    >>> from skdeepenc.cli import main
    >>> main(["models"])  # doctest: +ELLIPSIS
    model ...
    0
    """
    options = _build_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a reader that has gone away causes no traceback
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return 0
    except Exception as error:
        return _fail(error)
    return 0


def _fail(error):
    """Print an error as one line; name the type where nobody foresaw it."""
    # Our own errors are kinds of ValueError, OSError, MemoryError or ImportError.
    foreseen = isinstance(error, ValueError | OSError | MemoryError | ImportError)
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    if foreseen and str(error):
        print_failure(error)
    else:
        print_failure(f"{type(error).__name__}: {error} ({DEBUG_VARIABLE}=1 shows where)")
    return FAILURE


def _give_up_output():
    """Send what is still unwritten nowhere, or Python would complain of it at its end."""
    with contextlib.suppress(OSError, ValueError):  # no real file, in tests and notebooks
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"skdeepenc: warning: {one_line(message)}", file=sys.stderr)


def _build_parser():
    parser = Parser(
        prog="skdeepenc",
        description="Image representations from the activations of any ONNX network.",
        example="skdeepenc demo",
    )
    parser.add_argument("--version", action="version", version=f"skdeepenc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
