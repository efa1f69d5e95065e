"""Answers as tables: of pandas, or of polars where scikit-learn was told so."""

from sklearn import get_config

from skdeepenc._optional import require

__all__ = ["as_table"]


def as_table(columns):
    """Return columns as a table.

    Parameters
    ----------
    columns : dict
        Arrays or lists of equal length, by their names.

    Returns
    -------
    DataFrame
        Of polars after ``sklearn.set_config(transform_output="polars")``, else of pandas.
    """
    library = "polars" if get_config()["transform_output"] == "polars" else "pandas"
    return require(library, extra="search", purpose="A table").DataFrame(columns)
