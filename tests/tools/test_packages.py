"""The wheel and the sdist work in a new environment, where nothing else of flowcage is.

The package registry must be reached: for what flowcage needs, and for what builds it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from tests.e2e import readme

pytestmark = pytest.mark.thorough
ROOT = Path(__file__).parents[2]
NOT_SOURCE = (ROOT / ".gitignore").read_text().replace("/", "").split()
LINKS = ("child", "conformance", "host", "protocol", "schemas")
DEADLINE_S = 600


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, which must succeed. Its stdout."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4_000:]}{done.stderr[-4_000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".git", *NOT_SOURCE))
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", source, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    """The sdist."""
    (found,) = (built / "dist").glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def unpacked(built: Path, sdist: Path) -> Path:
    """The sdist's folder."""
    with tarfile.open(sdist) as archive:
        archive.extractall(built, filter="data")
    return built / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def programs(request: pytest.FixtureRequest, built: Path, sdist: Path) -> Path:
    """The programs of a new environment in which one or the other is installed."""
    archive = sdist if request.param == "sdist" else next((built / "dist").glob("*.whl"))
    environment = built / f"from-{request.param}"
    venv.create(environment, with_pip=True)
    run(environment / "bin" / "python", "-m", "pip", "install", "--no-cache-dir", archive, cwd=built)
    return environment / "bin"


def test_the_public_names_are_those_of_what_is_installed(programs: Path, tmp_path: Path) -> None:
    program = "import flowcage; from flowcage import Host; print(flowcage.__file__, Host.__name__)"
    file, name = run(programs / "python", "-c", program, cwd=tmp_path).split()

    assert name == "Host"
    assert Path(file).is_relative_to(programs.parent)


def test_the_child_that_is_installed_conforms(programs: Path, tmp_path: Path) -> None:
    readme.check("flowcage conformance --child flowcage-child", programs, tmp_path, DEADLINE_S)


@pytest.mark.parametrize("command", readme.COMMANDS)
def test_a_command_of_the_readme_works_without_the_repository(
    command: str, programs: Path, tmp_path: Path
) -> None:
    readme.check(command, programs, tmp_path)


def test_the_sdist_has_every_file_of_the_source(built: Path, unpacked: Path) -> None:
    source = {path.relative_to(built / "source") for path in (built / "source").rglob("*")}
    there = {path.relative_to(unpacked) for path in unpacked.rglob("*")}

    assert source - there == set()
    assert {path.parts[0] for path in there - source} <= {"PKG-INFO", "flowcage.egg-info", "setup.cfg"}
    assert {path.name for path in (unpacked / "flowcage").iterdir() if path.is_symlink()} == set(LINKS)


def test_tests_run_in_an_unpacked_sdist_and_try_its_own_code(unpacked: Path) -> None:
    program = "import flowcage.protocol; print(*flowcage.protocol.__path__)"

    assert Path(run(sys.executable, "-c", program, cwd=unpacked).strip()).is_relative_to(unpacked)
    run(sys.executable, "-m", "pytest", "--collect-only", "--quiet", cwd=unpacked)
    run(sys.executable, "-m", "pytest", "--quiet", "tests/outcome", cwd=unpacked)
