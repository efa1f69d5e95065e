"""Write records as tables of Markdown: what was timed, on what machine, by which command."""

import json
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks.registry import OURS, discover
from benchmarks.results import duration
from benchmarks.runner import missed


def tables(paths):
    """Yield the lines of a page about files that `results.save` wrote."""
    machine = None
    for path in paths:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if machine != (machine := _machine(content)):
            yield from (machine, "")
        for name, records in groupby(content["records"], key=lambda record: record["benchmark"]):
            yield from _section(name, list(records), content)


def _machine(content):
    """Return the processor, the cores and the versions, as the tool found them."""
    packages = ", ".join(f"{name} {version}" for name, version in content["packages"].items())
    return (
        f"{content['processor']}, {content['cores']} cores, Python {content['python']}, {packages}."
    )


def _section(name, records, content):
    """Yield a heading, what is measured, the command, and one row for each case."""
    benchmark = discover()[name]
    contenders = _keys(records, "seconds")
    facts = _keys(records, "facts")
    headers = [benchmark.ours if name == OURS else name for name in contenders]
    yield from (f"## {name.replace('_', ' ').capitalize()}", "", benchmark.summary, "")
    yield from (
        "```bash",
        f"python -m benchmarks run {name} {content['options']}".rstrip(),
        "```",
        "",
    )
    yield f"| {' | '.join(['case', *headers, *facts])} |"
    yield f"|{' --- |' * (1 + len(headers) + len(facts))}"
    for record in records:
        cells = [_time(record, contender) for contender in contenders]
        cells += [
            f"{record['facts'][fact]:.4g}" if fact in record["facts"] else "" for fact in facts
        ]
        yield f"| {' | '.join([record['case'], *cells])} |"
    yield from ("", f"{content['date'][:10]}, commit {content['commit']}.", "")
    for record in records:
        yield from (f"{record['case']}: {sentence}.\n" for sentence in missed(record))


def _keys(records, kind):
    """Return the keys of all records, in the order in which they appear."""
    return list(dict.fromkeys(key for record in records for key in record[kind]))


def _time(record, contender):
    """Return the median time of a contender, and how many times ours it is."""
    if contender not in record["seconds"]:
        return ""
    time = duration(np.median(record["seconds"][contender])).strip()
    ratio = record["ratios"].get(contender)
    return time if ratio is None else f"{time}, {ratio:.2f} times ours"
