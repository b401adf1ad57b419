"""What a path may have been meant to be, where nothing has its name."""

from __future__ import annotations

import difflib
from pathlib import Path

_ALIKE = 0.75


def near_names(path: Path) -> tuple[str, ...]:
    """A hint that names the file or folder beside a missing one that is called nearly so; none where nothing is.

    Another case, a slip of the finger, and a name without its ending are nearly the same. Of a link that leads
    nowhere the hint says so.
    """
    try:
        if path.exists():
            return ()
        if path.is_symlink():
            return (f"{path} is a link to {path.readlink()}, which is not there",)
        names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    except (OSError, ValueError):
        return ()
    wanted = path.name.lower()
    plain = {name.lower(): name for name in names} | {Path(name).stem.lower(): name for name in names}
    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=_ALIKE)
    return (f"did you mean {path.with_name(plain[near[0]])}?",) if near else ()
