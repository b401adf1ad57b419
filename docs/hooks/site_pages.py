"""The hook of mkdocs: brings in pages that stand elsewhere in the repository, and those made from the code.

Nothing is copied by hand: README, the notes on Arm's FVP and the models' cards stay where they are, the command
line, settings and documents are read from the code that implements them. Links between all of them are written as
they are valid in the repository; here they are turned into links between pages.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import cli_reference
import document_reference

ROOT = Path(__file__).parent.parent.parent
DOCS = "docs"
UNPLACED = "How-to"
"""Section of the navigation for pages of ``docs/`` that mkdocs.yml does not place."""

_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")


def included() -> dict[str, str]:
    """Files from elsewhere in the repository: path there -> path in the site."""
    cards = sorted((ROOT / "models").glob("*/README.md"))
    found = {f"{name}.md": f"{name.lower()}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")}
    found["fvp/README.md"] = "how-to/arms-fvp.md"
    found |= {f"models/{card.parent.name}/README.md": f"models/{card.parent.name}.md" for card in cards}
    pictures = (path.relative_to(ROOT).as_posix() for card in cards for path in sorted(card.parent.glob("*.png")))
    return found | {path: path for path in pictures}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every card, and every page of ``docs/`` that mkdocs.yml does not name, its place."""
    cards = [site for site in included().values() if site.startswith("models/") and site.endswith(".md")]
    listed = json.dumps(config.nav)
    pages = sorted(path.name for path in Path(config.docs_dir).glob("*.md"))
    unplaced: list[Any] = [page for page in pages if f'"{page}"' not in listed]
    for section in config.nav or []:
        if "Networks" in section:
            section["Networks"] += cards
        if UNPLACED in section:
            section[UNPLACED] += unplaced
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files from elsewhere and the generated ones."""
    for path, site in included().items():
        files.append(File.generated(config, site, abs_src_path=str(ROOT / path)))
    pages = {
        "reference/command-line.md": cli_reference.page(),
        "reference/open-corstone-300.md": cli_reference.simulator_page(),
        "reference/settings.md": document_reference.settings_page(),
        "reference/documents.md": document_reference.documents_page(),
        **{f"reference/schemas/{name}": text for name, text in document_reference.schemas().items()},
    }
    for site, content in pages.items():
        files.append(File.generated(config, site, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links into the repository into links between pages."""
    places = included()
    here = {site: path for path, site in places.items()}.get(page.file.src_uri, f"{DOCS}/{page.file.src_uri}")

    def relinked(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        site = places.get(path, path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") else None)
        if site is None or ":" in target:
            return match[0]
        return posixpath.relpath(site, posixpath.dirname(page.file.src_uri) or ".") + anchor

    return _LINK.sub(relinked, markdown)
