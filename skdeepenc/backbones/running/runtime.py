"""onnxruntime, behind one door: open a session, run it, and stop it.

The one file that imports it. What sessions a process keeps is in `session.py`, what becomes of a
graph that asks for too much in `trial.py`.
"""

import os
from functools import cache

import numpy as np
import onnxruntime

from skdeepenc.backbones.running.providers import CPU, ON_CUDA, provider_name, resolve
from skdeepenc.backbones.running.watch import watched
from skdeepenc.exceptions import ModelError

_SILENT, _WARNING = 4, 2
#: What a session of `open_limited` may take beside its weights: one blank image needs less.
MAX_MEMORY = 3 << 29
_AS_MUCH_AS_NEEDED = 1
# How onnxruntime's arena says that its limit is reached.
_OUT_OF_MEMORY = "is smaller than requested bytes"


def resolve_providers(providers):
    """Return the providers to ask for, best first, the processor always last."""
    return resolve(
        providers, onnxruntime.get_available_providers(), onnxruntime.get_all_providers()
    )


def open_session(content, folder, providers, n_threads, arena):
    """Open a session with the providers that work, in silence.

    Parameters
    ----------
    content : bytes
        The serialized graph.
    folder : Path or None
        Where its other weights lie.
    providers : list
        Execution providers, best first.
    n_threads : int
        Threads of the session.
    arena : bool
        Whether onnxruntime keeps the memory of past runs.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.

    Raises
    ------
    ModelError
        If no provider can open the graph.
    """
    options = _options(folder, n_threads, arena)
    present = set(onnxruntime.get_available_providers())
    candidates = [entry for entry in providers if provider_name(entry) in present]
    # A provider whose libraries are missing prints errors from C++; we say it once, ourselves.
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        return _create(content, options, candidates)
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)


def open_limited(content, folder, n_threads):
    """Open a session on the processor that fails when it takes more than `MAX_MEMORY`.

    Weights do not count.
    """
    _register_limited_allocator()
    options = _options(folder, n_threads, arena=True)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return _create(content, options, [CPU])


def ran_out_of_memory(error):
    """Tell whether an error of a session of `open_limited` says that its memory was not enough."""
    return _OUT_OF_MEMORY in str(error)


def feeds_of(session, pixels, feeds):
    """Return all inputs by name: pixels, which come first, and others."""
    return {session.get_inputs()[0].name: pixels, **(feeds or {})}


def run_bound(session, feeds, outputs, stay=False):
    """Run a session on arrays that lie where it runs; only the outputs named come back.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        The session.
    feeds : dict of str to array
        Its inputs.
    outputs : sequence of str
        Which outputs to compute.
    stay : bool, default=False
        Whether outputs stay where they are computed, as `onnxruntime.OrtValue`, which
        `numpy()` fetches.

    Returns
    -------
    list of array or OrtValue
        The outputs.
    """
    device = _device_of(session)
    binding = session.io_binding()
    for name, array in feeds.items():
        array = np.ascontiguousarray(array)
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array, *device))
    for name in outputs:
        binding.bind_output(name, *(device if stay else ("cpu",)))
    session.run_with_iobinding(binding)
    return list(binding.get_outputs()) if stay else binding.copy_outputs_to_cpu()


def _device_of(session):
    """Return the name and number of the device that holds what a session computes."""
    first = session.get_providers()[0]
    if first not in ON_CUDA:
        return "cpu", 0
    return "cuda", int(session.get_provider_options()[first].get("device_id", 0))


def run_watched(session, feeds, seconds=None):
    """Run a session so that Ctrl-C, or the clock, can end it."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = _SILENT

    def terminate():
        options.terminate = True

    return watched(lambda: session.run(None, feeds, options), terminate, seconds)


def first_line(error):
    """Return what of an error of onnxruntime's is for readers."""
    return str(error).strip().partition("\n")[0]


@cache
def _register_limited_allocator():
    """Make the allocator that sessions of this process may share, once."""
    kind, memory = onnxruntime.OrtAllocatorType, onnxruntime.OrtMemType
    place = onnxruntime.OrtMemoryInfo("Cpu", kind.ORT_ARENA_ALLOCATOR, 0, memory.DEFAULT)
    growth = dict.fromkeys(("initial_chunk_size_bytes", "max_dead_bytes_per_chunk"), -1)
    growth |= {"max_mem": MAX_MEMORY, "arena_extend_strategy": _AS_MUCH_AS_NEEDED}
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(growth))


# Of onnxruntime 1.21: it quantises the weights that follow codes, of a projection too.
_NOT_EXACT = ["WeightBiasQuantization"]


def _options(folder, n_threads, arena):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    options.enable_cpu_mem_arena = arena
    options.enable_mem_pattern = arena
    # Waiting threads must not burn the processors that decode images or run other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Older processors add products of bytes with a sign in 16 bits, which overflow: as bytes
    # without a sign they do not. Nothing changes for other graphs and other processors.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.fspath(folder)
        )
    return options


def _create(content, options, providers):
    """Create a session; where a provider fails, go on with the processor alone."""
    level = options.graph_optimization_level
    # onnxruntime's own rewriting of quantised graphs can fail where two nodes share a weight.
    plain = min(level, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, key=int)
    for attempt, options.graph_optimization_level in (
        (providers, level),
        (providers, plain),
        ([CPU], level),
        ([CPU], plain),
    ):
        try:
            session = onnxruntime.InferenceSession(
                content,
                options,
                attempt,
                disabled_optimizers=_NOT_EXACT,
                enable_fallback=0,
                read_config_from_model=0,
            )
        except Exception as error:  # one type of onnxruntime's for each status code
            failure = error
            continue
        # Python's wrapper keeps the serialized graph, weights and all, for a fallback we refuse.
        session._model_bytes = None
        return session
    raise ModelError(f"onnxruntime cannot open the graph: {first_line(failure)}") from failure
