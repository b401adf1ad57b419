"""The page about messages: each message that it explains is one that the code can say."""

import re

from page_blocks import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"


def explained() -> list[str]:
    """The messages in the first column of the page's tables; `...` stands for what differs."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row) if message != "compile"]


def test_every_message_that_the_page_explains_stands_in_the_code() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "deploy").rglob("*.py"))
    code = re.sub(r'"\s*\n\s*f?"', "", "\n".join(sources))
    known = re.sub(r"\{[^{}]*\}", "...", code)
    assert len(explained()) >= 20
    for message in explained():  # in order, near each other
        parts = [re.escape(part.strip()) for part in message.split("...") if part.strip()]
        assert re.search(r".{0,80}?".join(parts), known), message
