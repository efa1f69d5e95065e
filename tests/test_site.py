"""What leads nowhere in a built site, or is loaded from elsewhere, is found."""

import pytest

from docs.check_site import problems


def site(folder, body, style=""):
    (folder / "guide").mkdir()
    (folder / "index.html").write_text(body)
    (folder / "guide" / "index.html").write_text('<h1 id="views">Views</h1>')
    (folder / "look.css").write_text(style)
    return list(problems(folder))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="guide/index.html#views">',
        '<a href="guide/">',
        '<a id="here" href="#here">',
        '<a href="https://example.org/paper.pdf">',
        '<img src="data:image/png;base64,AAAA">',
        '<link rel="stylesheet" href="look.css">',
    ],
)
def test_what_is_there_is_no_problem(body, tmp_path):
    assert site(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="guid/index.html">', "guid/index.html is not there"),
        ('<a href="guide/index.html#scales">', "#scales names an anchor that is not there"),
        ('<a href="../outside.html">', "../outside.html is not there"),
        ('<img src="picture.png">', "picture.png is not there"),
        ('<script src="https://cdn.example.org/a.js">', "loads https://cdn.example.org/a.js"),
        ('<link rel="preload" href="//fonts.example.org/a">', "loads //fonts.example.org/a"),
    ],
)
def test_what_is_not_there_is_named(body, problem, tmp_path):
    (found,) = site(tmp_path, body)
    assert found.startswith("index.html")
    assert found.endswith(problem)


def test_a_style_sheet_loads_nothing_from_elsewhere(tmp_path):
    (found,) = site(tmp_path, "", '@font-face { src: url("https://fonts.example.org/a.woff2") }')
    assert found.startswith("look.css loads")
