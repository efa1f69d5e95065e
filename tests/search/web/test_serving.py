"""`skdeepenc browse` serves the page here, says where, and shows it."""

import socket
from unittest import mock

import pytest
from test_cli import fail

from skdeepenc.cli import main

uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture
def started(monkeypatch):
    """Record servers in the place of running them, and addresses in that of showing them."""
    run, shown = mock.Mock(), mock.Mock()
    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr("webbrowser.open", shown)
    return run, shown


def test_the_page_is_served_and_shown(place, started, capsys):
    run, shown = started
    assert main(["browse", "index", "--port", "0"]) == 0
    address = capsys.readouterr().out.split()[0]
    (listener,) = run.call_args.kwargs["sockets"]
    assert address.startswith("http://127.0.0.1:")
    assert listener.fileno() == -1  # closed at the end
    shown.assert_called_once_with(address)


def test_it_is_not_shown_where_that_is_not_wanted(place, started):
    assert main(["browse", "index", "--port", "0", "--no-open"]) == 0
    started[1].assert_not_called()


def test_a_port_that_is_taken_is_an_error(place, started, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"at port {port}" in fail(["browse", "index", "--port", str(port)], capsys)
        with mock.patch("skdeepenc.search.web.browsing.USUAL_PORT", port):
            assert main(["browse", "index", "--no-open"]) == 0
    assert "not the number of a port" in fail(["browse", "index", "--port", "70000"], capsys)


def test_what_is_not_an_index_is_an_error(place, started, capsys):
    assert "not an index" in fail(["browse", "photos"], capsys)
