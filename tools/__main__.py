"""``python -m tools``: writes every generated file anew and names those that changed."""

from __future__ import annotations

from flowcage.schemas.loader import document
from tools.generated import FILES, ROOT


def main() -> None:
    """Write what is not up to date."""
    for name, generate in FILES.items():
        path = ROOT / name
        before = path.read_bytes().decode() if path.exists() else ""
        after = generate(before)
        if after != before:
            path.write_bytes(after.encode())
            print(name)
            document.cache_clear()  # what follows is made from the schemas as they are now


if __name__ == "__main__":
    main()
