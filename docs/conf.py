"""The site made from the pages of the repository; ``make docs`` builds it, with warnings as errors.

The sources are the repository itself, so that links to another page, to an example or to a file work in a
forge and on the site alike. Pages are found by their folder: a new one needs no change here.
"""

import logging
import re
from pathlib import Path
from typing import Any

import fastapi  # noqa: F401 - pydantic cannot build its models while Sphinx imports it
from docutils import nodes
from pydantic import BaseModel
from pygments.lexers.special import TextLexer

import logweir

ROOT = Path(__file__).parents[1]
logging.getLogger("alembic").setLevel(logging.WARNING)  # a package of the theme's shows what is logged

project = "logweir"
author = "The logweir maintainers"
project_copyright = author
version = release = logweir.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "examples/**/README.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!logweir\.).*"),  # the types of others, whose documentation is not asked for
    (
        "py:.*",
        r"logweir\.(?!context\.\w+$|encoding\.\w+$|integrations\.|testing\.|sinks\.contract\.)\w+\..*",
    ),  # what is not public
    ("py:.*", r"logweir\..*\._\w+"),
    ("py:mod", r"logweir\..*"),
    ("py:class", r"logweir\..*T"),  # variables of types
]
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|[\w-]+)(:\d+)?(/.*)?$"]  # those of examples
linkcheck_timeout = 20

# -- pages --------------------------------------------------------------------------------------------

myst_heading_anchors = 4
smartquotes_action = "D"  # dashes alone

# -- the Python API -----------------------------------------------------------------------------------

autodoc_member_order = "bysource"
#: The field ``type`` would be taken for Python's own in every signature.
autodoc_default_options = {"members": True, "exclude-members": "type, model_config"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
default_role = "literal"  # descriptions of routing.yaml's keys are Markdown too
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# -- looks --------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = "logweir"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}

#: Below each caption its folder, and the pages that come first there or come from another caption's folder;
#: all others follow by their names. A page beside these folders is in no tree, which is an error.
NAVIGATION = {
    "Start": ("docs", "start/what-it-is start/install start/* tutorial*"),
    "How-to": (
        "docs/how-to",
        """
        fastapi django flask litestar wsgi celery stdlib-logging loguru structlog-chain log-files
        threads-and-executors carry-a-trace opentelemetry audit-a-function explicit-service audit-changes
        choose-a-backend relational-audit-store alembic mongodb elasticsearch loki otlp http-webhook files
        custom-sink evolve deliver-elsewhere kafka *
        """,
    ),
    "Reference": ("docs/reference", "routing configuration commands errors metrics *"),
    "Python API": ("docs/reference/api", "logweir *"),
    "Measured": ("docs/reference", "backends growth growth-run benchmarks engine-run rivals"),
    "Explanation": ("docs/explanation", "architecture *"),
    "Examples": ("examples", "**/README"),
    "Project": ("", "CHANGELOG CONTRIBUTING SECURITY CODE_OF_CONDUCT"),
}


def navigation() -> dict[str, list[str]]:
    """The pages below each caption, without their suffix; a page that is named goes before a pattern's."""
    wanted = [
        (caption, f"{folder}/{name}.md")
        for caption, (folder, names) in NAVIGATION.items()
        for name in names.split()
    ]
    named = {place: caption for caption, place in wanted if "*" not in place}
    pages: dict[str, list[str]] = {caption: [] for caption in NAVIGATION}
    for caption, place in wanted:
        for path in sorted(ROOT.glob(place.lstrip("/"))):
            page = path.relative_to(ROOT).with_suffix("").as_posix()
            if page not in {root_doc, *pages[caption]} and named.get(f"{page}.md", caption) == caption:
                pages[caption].append(page)
    return pages


def _add_navigation(_app: Any, page: str, source: list[str]) -> None:
    """Let the first page hold the tree of all others, which a forge would show as code."""
    if page != root_doc:
        return
    for caption, pages in navigation().items():
        tree = "\n".join(
            ["```{toctree}", ":hidden:", f":caption: {caption}", "", *(f"/{one}" for one in pages)]
        )
        source[0] += f"\n{tree}\n```\n"


#: As forges want a picture that is light or dark with the reader's screen.
_PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="(?P<dark>[^"]+)">\s*'
    r'<img alt="(?P<alt>[^"]*)" src="(?P<light>[^"]+)">\s*</picture>'
)


def _follow_the_readers_switch(_app: Any, _page: str, source: list[str]) -> None:
    """Let a picture be light or dark with the switch of the theme, of which a forge knows nothing."""

    def both(found: re.Match[str]) -> str:
        return "\n\n".join(
            f"```{{image}} {found[look]}\n:alt: {found['alt']}\n:class: only-{look}\n```"
            for look in ("light", "dark")
        )

    source[0] = _PICTURE.sub(both, source[0])


#: From so many characters on a name in a table may be broken; shorter ones stay whole.
_LONG_NAME = 30


def _let_long_names_break(_app: Any, document: nodes.document, _page: str) -> None:
    """Keep a table on its page, whose cells name paths and tests."""
    for cell in document.findall(nodes.entry):
        for name in cell.findall(nodes.literal):
            if max(map(len, name.astext().split()), default=0) > _LONG_NAME:
                name["classes"].append("long")


def _lead_to_first_page(app: Any, error: Exception | None) -> None:
    """The pages lie below ``docs/``; whoever opens the site's root is sent there."""
    if error is None and app.builder.name == "html":
        target = "docs/index.html"
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={target}">'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def _shorten(
    _app: Any, _what: str, _name: str, found: Any, _options: Any, signature: str | None, returns: Any
) -> Any:
    """Give a model of pydantic the names alone as its signature; the types of its fields stand below it.

    Sphinx cannot read a signature with objects as defaults, or with the parameters of another function, and
    would show its own marks in it.
    """
    if isinstance(found, type) and issubclass(found, BaseModel):
        required = [name for name, field in found.model_fields.items() if field.is_required()]
        return f"({', '.join(['*', *required, '...'])})", None
    if signature is None:
        return None
    signature = re.sub(r"= ?<[^>]+>", "= ...", signature)  # a default that has no text of its own
    if "~P" in signature:
        signature = re.sub(r"~(?:[\w.]+\.)?(?=\w)", "", signature)
    return signature, returns


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _shorten)
    app.connect("source-read", _add_navigation)
    app.connect("source-read", _follow_the_readers_switch)
    app.connect("doctree-resolved", _let_long_names_break)
    app.connect("build-finished", _lead_to_first_page)
    app.add_lexer("logql", TextLexer)  # which Pygments does not know
