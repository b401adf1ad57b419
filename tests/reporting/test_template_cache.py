from pathlib import Path

import jinja2
import pytest

from deploy.reporting.pages.template_cache import TemplateCache

SOURCE = "{% for name in names %}\n<{{ name }}>\n{% endfor %}\n"
NAMES = ["a", "<b>"]


class CompiledError(Exception):
    """A template had to be compiled."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ethosu-deploy"


def rendered(source: str = SOURCE, *, may_compile: bool = True, **options: bool) -> str:
    options = {"autoescape": True, "trim_blocks": True, **options}
    loader = jinja2.DictLoader({"page": source})
    environment = jinja2.Environment(loader=loader, bytecode_cache=TemplateCache(options), **options)  # noqa: S701
    if not may_compile:
        environment.compile = refuse
    return environment.get_template("page").render(names=NAMES)


def refuse(*_arguments: object) -> None:
    raise CompiledError


def test_a_template_is_compiled_once(cache: Path) -> None:
    first = rendered()
    assert first == "<a>\n<&lt;b&gt;>\n"
    assert rendered(may_compile=False) == first
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"j2", b"\x80garbage", "cut"])
def test_a_damaged_file_is_made_anew(cache: Path, damage: bytes | str) -> None:
    first = rendered()
    [kept] = cache.iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2] if isinstance(damage, str) else damage)
    with pytest.raises(CompiledError):
        rendered(may_compile=False)
    assert rendered() == first
    assert rendered(may_compile=False) == first


def test_another_source_or_option_is_another_template(cache: Path) -> None:
    rendered()
    assert rendered(autoescape=False) == "<a>\n<<b>>\n"
    assert rendered(trim_blocks=False) == "\n<a>\n\n<&lt;b&gt;>\n"
    assert rendered("{{ names[1] }}") == "&lt;b&gt;"


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert rendered() == rendered()
