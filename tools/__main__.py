"""``python -m tools``: writes all generated files, and prints the names of those that have changed."""

from __future__ import annotations

from flowcage.schemas.loader import document
from tools.generated import FILES, ROOT


def main() -> None:
    """Write the files that are out of date."""
    for name, generate in FILES.items():
        path = ROOT / name
        before = path.read_bytes().decode() if path.exists() else ""
        after = generate(before)
        if after != before:
            path.write_bytes(after.encode())
            print(name)
            document.cache_clear()  # later files are generated from the schemas as they are now


if __name__ == "__main__":
    main()
