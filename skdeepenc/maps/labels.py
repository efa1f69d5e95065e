"""Row labels of maps, on the tables that are made of them.

scikit-learn gives a table the labels of the table that it was made of, and knows nothing of maps.
"""

from typing import Any

from numpy.typing import NDArray

from skdeepenc._sklearn import output_container
from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["labelled"]


def labelled(estimator: Any, rows: NDArray[Any], X: Any) -> Any:
    """Make rows a table with the labels of maps, where the estimator is to return such tables.

    Parameters
    ----------
    estimator : estimator
        What made the rows.
    rows : ndarray of shape (n_images, n_columns)
        A row per image.
    X : object
        What they were made of.

    Returns
    -------
    ndarray or DataFrame
        A table if `X` are maps with labels and tables are asked for; else the rows.
    """
    index = X.index if isinstance(X, FeatureMaps) else None
    if index is None or output_container(estimator) != "pandas":
        return rows
    import pandas as pd

    return pd.DataFrame(rows, index=index, copy=False)
