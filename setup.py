"""What pyproject.toml cannot say: an sdist has the links in ``flowcage/``, which setuptools leaves out.

Without them no room is found in an unpacked sdist, where ``./flowcage`` comes before what is installed.
"""

import os
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist


class WithLinks(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for link in Path("flowcage").iterdir():
            if link.is_symlink():
                os.symlink(os.readlink(link), base_dir / link)


setup(cmdclass={"sdist": WithLinks})
