"""`skdeepenc cache`: say how large a cache of feature maps is, and make it smaller."""

import time
from pathlib import Path

from skdeepenc.cli.messages import print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "cache",
        help="show or shrink a cache of feature maps",
        description="Show what a folder given as `memory` holds, or remove what was not used for "
        "long\nor is too much.",
        example='skdeepenc cache clean maps --limit "50 GB" --max-age 30',
    )
    actions = command.add_subparsers(metavar="ACTION", required=True)
    info = actions.add_parser(
        "info", help="list what it holds", example="skdeepenc cache info maps"
    )
    clean = actions.add_parser(
        "clean",
        help="remove entries, the longest unused first",
        example='skdeepenc cache clean maps --limit "50 GB"',
    )
    clean.add_argument("--limit", metavar="SIZE", help='most to keep, such as "50 GB"')
    clean.add_argument("--max-age", metavar="DAYS", type=float, help="remove what is unused longer")
    for action, run in ((info, run_info), (clean, run_clean)):
        action.add_argument("folder", metavar="FOLDER", help="the folder given as `memory`")
        action.set_defaults(run=run)


def run_info(options):
    """Print a line for each recipe."""
    from skdeepenc.extraction import cache_info

    recipes = cache_info(_existing(options.folder))
    rows = [
        (
            recipe.folder.name,
            ",".join(recipe.layers),
            recipe.n_entries,
            f"{recipe.n_bytes / 1e9:.3f} GB",
            time.strftime("%Y-%m-%d", time.localtime(recipe.last_used)),
        )
        for recipe in recipes
    ]
    print_table(("recipe", "layers", "entries", "size", "used"), rows)
    print(f"{sum(recipe.n_bytes for recipe in recipes) / 1e9:.3f} GB in all")


def run_clean(options):
    """Remove entries, and say how much that was."""
    from skdeepenc.extraction import clean_cache

    if options.limit is None and options.max_age is None:
        raise ValueError("say what to remove: --limit SIZE, --max-age DAYS, or both")
    removed = clean_cache(_existing(options.folder), limit=options.limit, max_age=options.max_age)
    print(f"{removed / 1e9:.3f} GB removed")


def _existing(folder):
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} is not a folder")
    return folder
