"""The command: list, run and compare benchmarks, and write tables of them."""

import argparse
import ast
import sys
from dataclasses import replace

from benchmarks import comparison, results, tables
from benchmarks.registry import OURS, UnavailableError, discover
from benchmarks.runner import run
from benchmarks.turns import CLOCKS

# A paired comparison of two checkouts is trusted to about this much.
_TOLERANCE = 0.03


def main(arguments=None):
    """Run the command line; return 1 where something became slower, else 0."""
    options = _build_parser().parse_args(arguments)
    return options.act(options)


def _build_parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="list | run | compare | tables")
    listing = commands.add_parser("list", help="name all benchmarks, their options and bars")
    listing.set_defaults(act=_list)
    running = commands.add_parser("run", help="time ours and the peers in turns")
    running.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    running.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", dest="settings")
    running.add_argument("--rounds", type=int, help="turns of each contender")
    running.add_argument("--threads", type=int, help="of the matrix products")
    running.add_argument("--clock", choices=CLOCKS, default="wall")
    running.add_argument("--ours-alone", action="store_true", help="leave the peers out")
    running.add_argument("--out", help="the JSON file to write (default: benchmarks/results/...)")
    running.set_defaults(act=_run)
    comparing = commands.add_parser("compare", help="say what became faster or slower")
    comparing.add_argument("before", help="a file of results, or a checkout")
    comparing.add_argument("after", help="another one")
    comparing.add_argument("names", nargs="*", metavar="NAME", help="which, of two checkouts")
    comparing.add_argument("--rounds", type=int, default=5)
    comparing.set_defaults(act=_compare)
    writing = commands.add_parser("tables", help="write results as tables of Markdown")
    writing.add_argument("results", nargs="+", help="files of results")
    writing.set_defaults(act=_tables)
    return parser


def _list(options):
    for name, benchmark in discover().items():
        bars = [f"{peer} x {bar:g}" for peer, bar in benchmark.bars.items()]
        bars += [f"{fact} <= {limit:g}" for fact, limit in benchmark.limits.items()]
        print(f"{name:16s} {benchmark.summary}")
        print(f"{'':16s} {benchmark.ours}; bars: {', '.join(bars) or 'none'}")
        settings = [f"{key}={value!r}" for key, value in benchmark.options.items()]
        print(f"{'':16s} options: {' '.join(settings) or 'none'}")
    return 0


def _run(options):
    known, records = discover(), []
    for name in options.names or known:
        if name not in known:
            sys.exit(f"No benchmark is called {name!r}; they are: {', '.join(known)}.")
        benchmark = known[name]
        if options.ours_alone:
            benchmark = replace(benchmark, cases=_ours_alone(benchmark.cases), bars={})
        settings = _parse_settings(options.settings, known[name].options)
        timing = {key: getattr(options, key) for key in ("clock", "rounds", "threads")}
        try:
            for record in run(benchmark, settings, **timing):
                records.append(record)
                print("\n".join(results.describe(record)), flush=True)
        except UnavailableError as error:
            print(f"{name}: left out, {error}", flush=True)
    print(f"written to {results.save(records, options.out, _words(options))}")
    return 0


def _words(options):
    """Return the options that decide what is measured, as they are typed."""
    words = [f"--{name} {getattr(options, name)}" for name in ("threads", "rounds")]
    words = [word for word in words if not word.endswith(" None")]
    words += ["--clock cpu"] if options.clock == "cpu" else []
    words += [f"--set {' '.join(options.settings)}"] if options.settings else []
    return " ".join(words)


def _ours_alone(cases):
    """Return the same cases without their peers."""

    def stripped(**options):
        for case in cases(**options):
            works = {OURS: case.works[OURS]} if OURS in case.works else {}
            yield replace(case, works=works, conclude=None, memory=False)

    return stripped


def _parse_settings(settings, known):
    """Turn ``name=value`` into options; names of other benchmarks are left to them."""
    parsed = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name in known:
            try:
                parsed[name] = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                parsed[name] = value
    return parsed


def _compare(options):
    slower = 0
    for benchmark, case, ratio in comparison.compare(
        options.before, options.after, options.names, rounds=options.rounds
    ):
        is_slower = ratio > 1 + _TOLERANCE
        slower += is_slower
        print(f"{benchmark:16s} {case:50s} {ratio:6.3f}{'   SLOWER' if is_slower else ''}")
    return int(slower > 0)


def _tables(options):
    print("\n".join(tables.tables(options.results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
