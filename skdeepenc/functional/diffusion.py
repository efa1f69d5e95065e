"""Diffusion: images are alike if a walk along neighbours leads from one to the other.

Iscen, Tolias, Avrithis, Furon and Chum, "Efficient Diffusion on Region Manifolds: Recovering Small
Objects with Compact CNN Representations", CVPR 2017, sections 3 and 4. With s(x, z) = max(x . z,
0)^gamma where z is among the k nearest of x, and 0 elsewhere, the images of the gallery make a
graph of mutual neighbours,

    A_ij = min(s(x_i, x_j), s(x_j, x_i)),   S = D^(-1/2) A D^(-1/2),   D = diag(A 1),

and a query, by its own k_q nearest, the weights ``y_i = s(q, x_i)``. What is diffused from there is

    f = (1 - damping) (I - damping S)^(-1) y,

found by conjugate gradients.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import LinearOperator, cg

__all__ = ["NeighborGraph", "diffuse", "literal_diffusion", "neighbor_graph"]


def literal_diffusion(similarities, of_query, *, n_neighbors, n_query_neighbors, damping, gamma):
    """Diffuse from one query, as the equations read, on whole matrices.

    Parameters
    ----------
    similarities : ndarray of shape (n, n)
        Of the gallery's images with one another.
    of_query : ndarray of shape (n,)
        Of the query with each of them.
    n_neighbors, n_query_neighbors : int
        The k of images and of the query.
    damping, gamma : float
        As in the equations.

    Returns
    -------
    ndarray of shape (n,)
        The f of the equation.
    """
    kernel = np.zeros_like(similarities)
    for i, row in enumerate(similarities):
        others = [j for j in np.argsort(-row, kind="stable") if j != i][:n_neighbors]
        kernel[i, others] = np.maximum(row[others], 0) ** gamma
    affinities = np.minimum(kernel, kernel.T)
    degrees = affinities.sum(axis=1)
    scales = np.array([1 / np.sqrt(degree) if degree > 0 else 0 for degree in degrees])
    weights = np.zeros(len(of_query))
    nearest = np.argsort(-of_query, kind="stable")[:n_query_neighbors]
    weights[nearest] = np.maximum(of_query[nearest], 0) ** gamma
    walk = np.eye(len(weights)) - damping * scales[:, None] * affinities * scales
    return (1 - damping) * np.linalg.solve(walk, weights)


@dataclass(frozen=True)
class NeighborGraph:
    """The graph of a gallery's mutual neighbours.

    Attributes
    ----------
    transitions : csr_array of shape (n, n)
        The S of the equation.
    components : ndarray of int of shape (n,)
        Which part of the graph each image is in: nothing diffuses from one to another.
    """

    transitions: sparse.csr_array
    components: np.ndarray

    def __setstate__(self, state):
        self.__dict__.update(state)  # of a file, which may point outside
        self.transitions.check_format(full_check=True)

    def among(self, images):
        """Return the graph of some of the images; what they pass to the others is lost."""
        return _with_components(self.transitions[images][:, images])


def neighbor_graph(similarities, neighbors, gamma):
    """Make the graph of mutual neighbours.

    Parameters
    ----------
    similarities : ndarray of shape (n, k)
        Of each image with its nearest others.
    neighbors : ndarray of int of shape (n, k)
        Which images these are.
    gamma : float
        Exponent of the similarities.

    Returns
    -------
    NeighborGraph
        The graph.
    """
    n_images, n_neighbors = neighbors.shape
    kernel = np.maximum(similarities, 0).astype(np.float64) ** gamma
    starts = np.arange(n_images + 1) * n_neighbors
    shape = (n_images, n_images)
    directed = sparse.csr_array((kernel.ravel(), neighbors.ravel(), starts), shape=shape)
    affinities = directed.minimum(directed.T).tocsr()
    affinities.eliminate_zeros()
    degrees = affinities.sum(axis=1)
    scales = 1 / np.sqrt(np.where(degrees > 0, degrees, 1))
    affinities.data *= np.repeat(scales, np.diff(affinities.indptr)) * scales[affinities.indices]
    return _with_components(affinities)


def _with_components(transitions):
    return NeighborGraph(transitions, csgraph.connected_components(transitions, directed=False)[1])


def diffuse(graph, weights, damping, tol):
    """Diffuse from a query.

    Parameters
    ----------
    graph : NeighborGraph
        The gallery's graph.
    weights : ndarray of shape (n,)
        The y of the equation.
    damping : float
        The share of its value that an image passes on.
    tol : float
        The residual to stop at, relative to the weights.

    Returns
    -------
    f : ndarray of shape (n,)
        What comes to each image, never less than 0.
    reached : ndarray of bool of shape (n,)
        Whether the graph leads to it from the query's neighbours at all.
    """
    reached = np.isin(graph.components, graph.components[weights > 0])
    walk = LinearOperator(
        graph.transitions.shape,
        matvec=lambda values: values - damping * (graph.transitions @ values),
        dtype=weights.dtype,
    )
    found, _ = cg(walk, weights, rtol=tol)
    return (1 - damping) * np.where(reached, np.maximum(found, 0), 0), reached
