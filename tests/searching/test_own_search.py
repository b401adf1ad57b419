"""The search of a user's own that the page shows: run as it stands, interrupted, continued."""

import json
import re
from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.searching.documents import SearchResult

pytestmark = pytest.mark.early

PAGE = Path(__file__).parents[2] / "docs" / "search.md"
WORDS = ["search", "stripes.py:problem", "--oracle", "roofline", "--npu", "U55-32", "--samples", "200"]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_example_of_the_page_is_searched_and_continued(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(
        r"```python title=\"stripes.py\"\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    Path("stripes.py").write_text(program)
    assert run([*WORDS, "--trials", "2"]) == 0
    folder = Path("build/search")
    before = (folder / "candidates.jsonl").read_text().splitlines()
    assert run([*WORDS, "--trials", "3"]) == 0
    lines = (folder / "candidates.jsonl").read_text().splitlines()
    assert lines[:2] == before and len(lines) == 3
    assert json.loads(lines[0])["network"] == {"layers": 1, "channels": 4}
    result = SearchResult.model_validate_json((folder / "result.json").read_text())
    assert result.stages == ("size",) and result.candidates == (3,) and result.chosen == ()
    assert result.settings.options == {"samples": 200, "epochs": 4}
    assert max(entry.value("accuracy") or 0 for entry in result.front) > 0.7
    printed = capsys.readouterr().out
    assert "3 candidates in stage 1 (size): 3 trained." in printed
    assert "layers   channels" in printed

    import keras

    assert keras.models.load_model(folder / "best.keras").input_shape == (None, 16, 16, 1)
    for words, message in (
        (["--set", "epochs=1"], "holds a search with other settings: options"),
        (["--size", "16"], "has no option 'size'"),
    ):
        assert run([*WORDS, *words]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    Path("stripes.py").write_text(program + "# other")
    assert run(WORDS) == 2
    assert "other settings: versions" in capsys.readouterr().err
