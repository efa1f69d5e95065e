"""Where a site gets onnxruntime-web from, which runs the encoder in a visitor's browser.

The two files are copied from an installed npm package, or named by their address at a public host
of npm packages, in one version. Either way the site knows their digests, and browsers refuse
others.
"""

import base64
import hashlib
import shutil
from pathlib import Path
from typing import Any

from skdeepenc._typing import PathLike
from skdeepenc.exceptions import ExportError

__all__ = ["policy_of", "put_runtime"]

#: The version that sites refer to which have no files of their own.
VERSION = "1.30.0"
HOST = "https://cdn.jsdelivr.net"
_PATH = f"/npm/onnxruntime-web@{VERSION}/dist/"
_FILES = {"script": "ort.wasm.bundle.min.mjs", "binary": "ort-wasm-simd-threaded.wasm"}
_DIGESTS = {
    "script": "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    "binary": "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
}
_FOLDER = "runtime"


def put_runtime(runtime: PathLike | None, site: Path) -> dict[str, Any]:
    """Copy onnxruntime-web into a site, or refer to the host of npm packages.

    Parameters
    ----------
    runtime : path-like or None
        The npm package's folder, or its ``dist``; None refers to the host.
    site : Path
        The site, while it is written.

    Returns
    -------
    dict
        For "script" and "binary" the address and the digest.

    Raises
    ------
    ExportError
        If the folder has no such files.
    """
    if runtime is None:
        return {
            role: {"address": f"{HOST}{_PATH}{name}", "integrity": _DIGESTS[role]}
            for role, name in _FILES.items()
        }
    (site / _FOLDER).mkdir()
    return {role: _copied(Path(runtime), name, site) for role, name in _FILES.items()}


def _copied(runtime, name, site):
    found = [path for path in (runtime / name, runtime / "dist" / name) if path.is_file()]
    if not found:
        raise ExportError(
            f"{runtime} has no {name}: name the folder in which `npm install onnxruntime-web` put "
            "the package, node_modules/onnxruntime-web."
        )
    shutil.copyfile(found[0], site / _FOLDER / name)
    digest = hashlib.sha384(found[0].read_bytes()).digest()
    integrity = f"sha384-{base64.b64encode(digest).decode()}"
    return {"address": f"{_FOLDER}/{name}", "integrity": integrity}


def policy_of(runtime: dict[str, Any]) -> str:
    """Return what the pages of a site may load: its own files, and onnxruntime-web's."""
    is_own = not runtime["script"]["address"].startswith(HOST)
    # A script of another host is read, checked, and run from memory.
    scripts, connections = ("", "") if is_own else (" blob:", f" {HOST}")
    return "; ".join(
        [
            "default-src 'self'",
            "img-src 'self' blob:",
            f"script-src 'self' 'wasm-unsafe-eval'{scripts}",
            f"connect-src 'self'{connections}",
            *(f"{what} 'none'" for what in ("object-src", "base-uri", "form-action")),
        ]
    )
