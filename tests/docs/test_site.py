"""The documentation builds without a warning, is complete, and needs no network to be read."""

import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from page_blocks import ROOT
from site_build import build

from deploy.cli.main import command_line
from deploy.settings.options import shared_options

pytestmark = pytest.mark.early

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "use": "href"}


class Resources(HTMLParser):
    """Collects what a browser would load for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        address = values.get(LOADED.get(tag, ""))
        if address:
            self.found.append(address)


def text_of(page: Path) -> str:
    """A page's text, without tags."""
    source = re.sub(r"</?(?:a|code|span)\b[^>]*>", "", page.read_text(encoding="utf-8"))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source)).split())


def verbs(group: click.Command, path: str = "deploy") -> dict[str, click.Command]:
    """Every verb by what one types."""
    if not isinstance(group, click.Group):
        return {path: group}
    return {
        name: verb for key, each in group.commands.items() for name, verb in verbs(each, f"{path} {key}").items()
    }


def test_every_page_of_the_repository_is_in_the_site(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    cards = {Path("models", f"{card.parent.name}.html") for card in (ROOT / "models").glob("*/README.md")}
    other = {
        Path(f"{name}.html") for name in ("readme", "contributing", "changelog", "security", "how-to/arms-fvp")
    }
    generated = {
        Path("reference", f"{name}.html")
        for name in ("command-line", "settings", "documents", "open-corstone-300")
    }
    pages = {path.relative_to(site) for path in site.rglob("*.html")}
    assert pages - {Path("404.html")} == written | cards | other | generated
    assert len(cards) >= 4
    assert not list(site.rglob("*.py"))


def test_every_page_can_be_reached_by_the_navigation(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    navigation = start[start.index("md-nav--primary") : start.index('class="md-content"')]
    linked = {(site / link).resolve() for link in re.findall(r'href="([^"#:]+\.html)"', navigation)}
    assert {path.resolve() for path in site.rglob("*.html")} - linked == {(site / "404.html").resolve()}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in set(site.rglob("*.html")) - {site / "404.html"}:  # which a server shows under any address
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert len(resources.found) > 3
        for address in resources.found:
            assert not re.match(r"(https?:)?//", address), f"{page.name}: {address}"
            if not address.startswith(("data:", "#")):
                assert (page.parent / address.split("#")[0].split("?")[0]).exists(), f"{page.name}: {address}"
    for sheet in site.rglob("*.css"):
        loaded = re.findall(
            r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]*)", sheet.read_text(encoding="utf-8")
        )
        assert not loaded, f"{sheet.name}: {loaded}"


def test_the_command_line_reference_names_every_verb_with_all_it_takes(site: Path) -> None:
    page = site / "reference" / "command-line.html"
    text, source = text_of(page), page.read_text(encoding="utf-8")
    every = verbs(command_line())
    assert len(every) > 15
    for name, verb in every.items():
        assert f'<h2 id="{name.replace(" ", "-")}"' in source
        for parameter in verb.params:
            for option in (
                parameter.opts if isinstance(parameter, click.Option) else [str(parameter.metavar or "")]
            ):
                assert option in text, f"{name}: {option}"
        for example in re.findall(r"^ {4}(deploy \S+(?: \S+)*)", verb.epilog or "", re.MULTILINE):
            assert example in text, f"{name}: {example}"


def test_the_reference_has_every_setting_and_key(site: Path) -> None:
    settings = text_of(site / "reference" / "settings.html")
    assert all(f"{declared.key} " in settings for declared in shared_options())
    schemas = sorted((site / "reference" / "schemas").glob("*.schema.json"))
    documents = text_of(site / "reference" / "documents.html")
    assert {path.name.split(".")[0] for path in schemas} >= {"verdict", "compile", "quantize", "evaluate", "sweep"}
    for path in schemas:
        if path.name.startswith("deploy.toml"):
            continue  # its keys are on the page of settings, and in the command line
        schema = json.loads(path.read_text(encoding="utf-8"))
        for part in (schema, *schema.get("$defs", {}).values()):
            for key in part.get("properties", {}):
                assert f" {key} " in documents, f"{path.name}: {key}"


def test_docstrings_are_rendered_without_what_they_are_written_in(site: Path) -> None:
    pages = list((site / "reference" / "python").glob("*.html"))
    assert len(pages) > 4
    for page in pages:
        text = text_of(page)
        assert not re.search(r":(?:func|class|mod|meth|attr):", text), page.name
        assert "``" not in text, page.name
        assert "Args:" not in text, page.name
    described = text_of(site / "reference" / "python" / "npu.html")
    assert "execute ( stream" in described or "execute( stream" in described
    assert "region number (0 to 7) -> uint8 array" in described


def test_the_search_knows_the_pages(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {entry["location"].split("#")[0] for entry in index["docs"]}
    assert {"tutorials/own-model.html", "reference/command-line.html", "models/mobilenetv4.html"} <= found
    assert (site / "search" / "search_index.js").read_text(encoding="utf-8").startswith("var __index = {")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the site is made of, to change."""
    folder = tmp_path / "copy"
    for name in ("docs", "models", "fvp", "firmware", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.h5", "__pycache__"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[there](nowhere.md)", "nowhere.md"),
        ("[there](quick-start.md#nothing)", "nothing"),
        ("[there](/quick-start.md)", "/quick-start.md"),
        ("![picture](images/none.png)", "images/none.png"),
        ("[`there`][deploy.npu.nothing]", "deploy.npu.nothing"),
        ("::: deploy.nothing", "deploy.nothing"),
        ('```c\n--8<-- "firmware/none.h"\n```', "firmware/none.h"),
    ],
)
def test_a_reference_to_nothing_fails_the_build(copy: Path, text: str, complaint: str) -> None:
    with (copy / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n\n{text}\n")
    done = build(copy.parent / "site", config=copy / "mkdocs.yml")
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


@pytest.mark.slow
def test_a_new_page_is_found_a_place(copy: Path) -> None:
    (copy / "docs" / "new.md").write_text("# Something new\n\n[The card](../models/mobilenetv4/README.md)\n")
    done = build(copy.parent / "site", config=copy / "mkdocs.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'href="new.html"' in (copy.parent / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="models/mobilenetv4.html"' in (copy.parent / "site" / "new.html").read_text(encoding="utf-8")
