"""Run a recipe over images: into memory, or into a cache."""

import contextlib
import time

import numpy as np

from skdeepenc._progress import progress_bar
from skdeepenc.exceptions import ImageError
from skdeepenc.extraction._assembly import Assembler, Collector
from skdeepenc.extraction._memory_check import announce_files, check_room
from skdeepenc.extraction._stream import Job, prepared, queued_batches
from skdeepenc.extraction.sources import known_digest, read_and_digest
from skdeepenc.images.decode import describe_source, read_source
from skdeepenc.maps import FeatureMaps

# How long to leave an image to another worker before asking again whether it is done.
_PATIENCE_SECONDS = 0.02


class Runner:
    """Runs a recipe over images, and keeps account of those that could not be read.

    Parameters
    ----------
    recipe : Recipe
        How an image becomes maps.
    batch_size : int
        Images of the network's usual input in a batch.
    n_decoders : int
        Threads that decode.
    verbose : int
        Whether to show progress.

    Attributes
    ----------
    failures : dict of str to str
        Why images could not be read, by what to call them.
    n_runs : int
        How many images the network has run on.
    """

    def __init__(self, recipe, *, batch_size, n_decoders, verbose):
        self.recipe = recipe
        self.failures = {}
        self.n_runs = 0
        self._batch_size = batch_size
        self._n_decoders = n_decoders
        self._verbose = verbose

    def in_memory(self, sources, *, stop_at_failure):
        """Return the maps of images in memory; refuse before the start what will not fit.

        With `stop_at_failure` the network stops at the first image that cannot be read; the
        others are then only looked at, and `failures` lists all.
        """
        collector = Collector(self.recipe, len(sources))
        jobs = self.stream(sources, check=lambda n_bytes: check_room(n_bytes * len(sources)))
        for job, maps in jobs:
            if maps is not None:
                collector.append(job.position, maps)
            elif stop_at_failure:
                jobs.close()
                self._only_look(sources, job.position + 1)
                break
        return collector.finish()

    def into_cache(self, cache, sources):
        """Return a view of a cache's files, after running the network on what it lacks."""
        recipe = self.recipe
        grids = np.zeros((len(sources), len(recipe.layers), recipe.n_scales, 2), dtype=np.int64)
        digests = [""] * len(sources)
        # Opened here: an interrupted generator lives on in its traceback, and so would its claims.
        with self._bar(len(sources)) as bar, cache.claims() as claims:
            for job, job_grids in self._cached(cache, claims, sources, bar):
                grids[job.position], digests[job.position] = job_grids, job.digest
        by_layer = {layer: grids[:, row] for row, layer in enumerate(recipe.layers)}
        return FeatureMaps(cache.store(digests, by_layer))

    def _cached(self, cache, claims, sources, bar):
        """Yield every image that can be read once it is in the cache."""
        unknown = []
        for position, source in enumerate(sources):
            # A file that this process has seen needs no thread: its digest and a header will do.
            digest = known_digest(source)
            grids = None if digest is None else cache.find(digest)
            if grids is None:
                unknown.append(position)
            else:
                yield Job(position, digest, grids=grids), grids
                bar.found()
        yield from self._computed(cache, claims, sources, unknown, bar)

    def _computed(self, cache, claims, sources, positions, bar):
        """Yield images that others compute, or that this call computes and writes."""

        def look_up(position, source):
            return self._look_up(cache, claims, position, source)

        def announce(n_bytes):
            announce_files(n_bytes * len(positions), cache.folder.parent)

        while positions:
            of_others = []
            for job, maps in self._run(sources, positions, look_up, bar, announce):
                if maps is not None:
                    cache.write(job.digest, maps)
                    cache.log_run(1)
                    claims.release(job.digest)
                    yield job, maps.grids
                elif job.grids is not None:
                    yield job, job.grids
                elif job.failure is None:
                    of_others.append(job.position)
            if len(of_others) == len(positions):
                time.sleep(_PATIENCE_SECONDS)
            positions = of_others

    def stream(self, sources, positions=None, *, check=None):
        """Yield ``(job, maps)`` for each image, in order, with a progress bar.

        Parameters
        ----------
        sources : list
            The images.
        positions : sequence of int, optional
            Which of them, in which order; None for all.
        check : callable, optional
            Is called with the estimated bytes of an image's maps before the network first runs; it
            may refuse.

        Yields
        ------
        job : Job
            What became of the image.
        maps : ImageMaps or None
            Its maps, None if it could not be read.
        """
        positions = range(len(sources)) if positions is None else positions
        with self._bar(len(positions)) as bar:
            yield from self._run(sources, positions, self._decode, bar, check)

    def _bar(self, n_images):
        return progress_bar(
            verbose=self._verbose, total=n_images, description="Extracting", unit="image"
        )

    def _run(self, sources, positions, prepare, bar, check=None):
        """Decode in threads, run the network in this one, yield images as they are complete."""
        recipe, assembler, started = self.recipe, Assembler(self.recipe), False
        chosen = ((position, sources[position]) for position in positions)
        sizes = {"batch_size": self._batch_size, "n_decoders": self._n_decoders}
        for batch in queued_batches(recipe, prepare, chosen, **sizes):
            if batch.pieces and not started:
                with bar.pace.starting():
                    self._start(batch, check)
                started = True
            if batch.pieces:
                assembler.add(batch.pieces, recipe.run(batch))
            for job in batch.finished:
                name = describe_source(sources[job.position], job.position)
                if job.failure is not None:
                    self.failures[name] = job.failure
                self.n_runs += job.stacks is not None
                yield job, None if job.stacks is None else assembler.take(job, name)
            n_settled = sum(job.is_settled for job in batch.finished)
            bar.update(n_settled) if started else bar.found(n_settled)

    def _start(self, batch, check):
        """Do what comes before the first batch: let the caller refuse, and open the session."""
        if check is not None:
            check(self.recipe.estimate_bytes(batch.pieces[0].job.plan))
        self.recipe.backbone.open(*batch.tensor.shape[2:])

    def _decode(self, position, source):
        """Read an image and cut it; in a thread."""
        try:
            plan, stacks = self.recipe.cut(read_source(source))
        except ImageError as error:
            return Job(position, failure=str(error))
        return Job(position, plan=plan, stacks=stacks)

    def _look_up(self, cache, claims, position, source):
        """Find an image in the cache, claim and cut it, or leave it to others; in a thread."""
        try:
            content, digest = read_and_digest(source)
            if not claims.take(digest):
                return Job(position, digest, grids=cache.find(digest))
            return self._look_up_claimed(cache, claims, position, digest, content)
        except ImageError as error:
            return Job(position, failure=str(error))

    def _look_up_claimed(self, cache, claims, position, digest, content):
        """Find or cut a claimed image; the claim stays on what the network is to run on."""
        with contextlib.ExitStack() as stack:
            stack.callback(claims.release, digest)
            # Asked after the claim: whoever had it before may just have finished.
            grids = cache.find(digest)
            if grids is not None:
                return Job(position, digest, grids=grids)
            plan, stacks = self.recipe.cut(content)
            stack.pop_all()
        return Job(position, digest, plan=plan, stacks=stacks)

    def _only_look(self, sources, start):
        """List what else cannot be read, without running the network."""
        rest = ((position, sources[position]) for position in range(start, len(sources)))
        for job in prepared(self._decode, rest, self._n_decoders, ahead=2 * self._n_decoders):
            if job.failure is not None:
                name = describe_source(sources[job.position], job.position)
                self.failures[name] = job.failure
