"""Write records as JSON that says on what machine and with which versions they were made."""

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from benchmarks.runner import missed

FOLDER = Path(__file__).parent / "results"
_PACKAGES = ("numpy", "scipy", "scikit-learn", "onnxruntime-gpu", "onnxruntime", "faiss-cpu")


def save(records, path=None, options=""):
    """Write records, and the options that they were made with, to a JSON file; return its path."""
    now = datetime.now(UTC)
    path = Path(path or FOLDER / f"{now:%Y%m%dT%H%M%S}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"date": now.isoformat(timespec="seconds"), **environment()}
    content |= {"options": options, "records": records}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def load(path):
    """Return the records of a file that `save` wrote, by benchmark and case."""
    records = json.loads(Path(path).read_text(encoding="utf-8"))["records"]
    return {(record["benchmark"], record["case"]): record for record in records}


def environment():
    """Return what times depend on: processor, threads and versions."""
    return {
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "libraries": [
            {key: library.get(key) for key in ("internal_api", "num_threads", "architecture")}
            for library in threadpool_info()
        ],
    }


def _commit():
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return finished.stdout.strip() or None


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions():
    for package in _PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue


def describe(record):
    """Return a record as lines to print."""
    lines = [f"{record['benchmark']}: {record['case']}"]
    for name, seconds in record["seconds"].items():
        ratio = record["ratios"].get(name)
        compared = "" if ratio is None else f"   {ratio:6.2f} times ours"
        times = f"{duration(np.median(seconds))}, best {duration(min(seconds))}"
        lines.append(f"  {name:24s} {times}{compared}")
    facts = [f"{name} {value:.4g}" for name, value in record["facts"].items()]
    lines += [f"  {', '.join(facts)}"] if facts else []
    return [*lines, *(f"  MISSED: {sentence}" for sentence in missed(record))]


def duration(seconds):
    """Return seconds in the unit that suits them."""
    for unit, factor in (("s ", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:8.2f} {unit}"
    return f"{seconds * 1e6:8.2f} us"
