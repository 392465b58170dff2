"""Who is let in by ``flowcage ui``, and what its answers tell a browser."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from flowcage.host.ui.door.keys import TokenError, token_of

from ..e2e import kept
from ..e2e.command import DEADLINE, FLOWCAGE, flowcage
from .served import Served, serving


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "runs.db"
    kept.make(path, "done-a", "gone")
    return path


@pytest.fixture(scope="module")
def served(store: Path) -> Iterator[Served]:
    with serving(store) as server:
        yield server


# ---- without a token -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_without_a_token_every_path_has_the_same_answer(served: Served, method: str) -> None:
    place = served.place
    below = ("", "api/runs", "api/runs/done-a", "static/ui/list.js", "enter")
    paths = ("", place, *(f"{place}/{each}" for each in below), "favicon.ico", "no/such")
    answers = [served.ask(f"{served.origin}/{path}", method) for path in paths]
    assert {each.status_code for each in answers} == {401}
    assert len({each.text for each in answers}) == 1
    assert not re.search(r"done|runs\.db|0\.1", answers[0].text)


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": "flowcage=0"},
        {"cookie": "flowcage="},
        {"cookie": 'flowcage="; other'},
        {"cookie": "flowcage=\xe9"},
        {"authorization": "Bearer nothing"},
        {"authorization": "Basic nothing"},
    ],
)
def test_a_wrong_token_is_none(served: Served, headers: dict[str, str]) -> None:
    given = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = served.ask(f"{served.origin}/{served.place}/api/runs", headers=given)
    assert answer.status_code == 401


def test_an_address_lets_in_once(served: Served) -> None:
    address = served.address
    first, second = served.ask(address), served.ask(address)
    assert (first.status_code, second.status_code) == (200, 401)
    assert "set-cookie" not in second.headers
    cookie = first.headers["set-cookie"]
    assert {each.strip() for each in cookie.split(";")[1:]} == {
        f"Path=/{served.place}/",
        "HttpOnly",
        "SameSite=Strict",
    }
    assert served.address != address
    assert served.ask(served.address).status_code == 200


def test_a_key_is_no_token_and_the_cookie_is_not_the_token(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serving(store, "--token-file", file) as server:
        token = file.read_text().strip()
        client = server.client()
        assert client.json("runs")["runs"]
        assert token not in str(client.http.cookies)
        url = f"{server.origin}/{server.place}/api/runs"
        assert server.ask(url, headers={"authorization": f"Bearer {token}"}).status_code == 200
        key = server.address.partition("key=")[2]
        assert server.ask(url, headers={"authorization": f"Bearer {key}"}).status_code == 401
        cookies = dict(client.http.cookies)
    with serving(store, "--token-file", file) as again:  # it lets in those that it had let in
        url = f"{again.origin}/{again.place}/api/runs"
        assert again.ask(url, headers={"cookie": f"flowcage={cookies['flowcage']}"}).status_code == 200


# ---- asked by other pages --------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "localhost:80"]
)
def test_another_name_of_the_host_is_refused_also_with_a_token(served: Served, host: str) -> None:
    client = served.client()
    answer = client.get("runs", headers={"host": host})
    assert answer.status_code == 421
    assert "done-a" not in answer.text


def test_further_names_are_allowed_by_an_option(store: Path) -> None:
    with serving(store, "--allow-host", "Box.example:80", "--allow-host", "other.example") as server:
        client, port = server.client(), server.origin.rpartition(":")[2]
        names = ("box.example:80", f"other.example:{port}", f"LOCALHOST:{port}", "other.example")
        answers = [client.get("runs", headers={"host": name}).status_code for name in names]
    assert answers == [200, 200, 200, 421]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_what_another_page_sends_does_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    client = served.client()
    assert client.post("runs/gone/cancel", {}, **headers).status_code == status
    assert client.json("runs/gone")["run"]["state"] == "abandoned"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
    ],
)
def test_another_page_reads_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    assert served.client().get("runs", headers=headers).status_code == status


# What a browser must not do for a page of ours: run or load what is another's, make markup of a text, send a
# form, be framed, be read or opened by a page of another origin, which at another port is the same site.
_POLICY = {
    **dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types"), "'none'"),
    **dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), "'self'"),
    "require-trusted-types-for": "'script'",
}
_GUARDS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}


def test_every_answer_is_kept_by_nobody_and_runs_nothing_of_others(served: Served) -> None:
    client = served.client()
    urls = [f"{client.base}/{path}" for path in ("", "api/runs", "api/runs/none", "static/ui/icon.svg", "no")]
    for answer in [
        *(client.http.get(url) for url in urls),
        served.ask(served.origin),
        served.ask(served.address),
    ]:
        found = answer.headers
        assert _GUARDS.items() <= dict(found).items()
        parts = found["content-security-policy"].split("; ")
        assert dict(each.split(" ", 1) for each in parts) == _POLICY
        assert "access-control-allow-origin" not in found
        assert "server" not in found


# ---- files, and the list of processes --------------------------------------------------------


@pytest.mark.executed
def test_nothing_that_lets_in_is_on_a_command_line_or_in_a_message(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serving(store, "--token-file", file) as server:
        client = server.client()
        client.json("runs")
        client.http.get(f"{client.base}/no?key={file.read_text().strip()}")
        secrets = [
            file.read_text().strip(),
            server.address.partition("key=")[2],
            *client.http.cookies.values(),
        ]
        pid = server.process.pid
        assert stat.S_IMODE(server.entry.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.entry.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        server.end()
        assert not server.entry.parent.exists()
    for secret in secrets:
        assert len(secret) > 20
        assert secret.encode() not in shown
        assert secret not in server.said


def test_a_browser_is_let_in_also_where_the_folder_of_the_file_was_removed(store: Path) -> None:
    with serving(store) as server:
        address = server.address
        server.entry.unlink()
        server.entry.parent.rmdir()
        assert server.ask(address).status_code == 200
        assert stat.S_IMODE(server.entry.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.entry.stat().st_mode) == 0o600
        server.client().json("runs")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_of_another_user_is_no_token(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("x" * 40)
    file.chmod(0o600)
    os.chown(file, 1, 1)
    refused = flowcage("ui", "--port", "0", "--no-open", "--store", store, "--token-file", file)
    assert (refused.status, "must be yours alone" in refused.stderr) == (2, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts secrets")
@pytest.mark.parametrize(("mode", "refused"), [(0o400, False), (0o440, False), (0o444, True), (0o644, True)])
def test_a_mounted_secret_is_a_token_unless_everybody_reads_it(
    tmp_path: Path, mode: int, *, refused: bool
) -> None:
    """A Secret of Kubernetes: links to files of root's, which the group of the pod may read."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "token").write_text("x" * 40)
    (tmp_path / "..2026" / "token").chmod(mode)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "token").symlink_to("..data/token")
    with pytest.raises(TokenError, match="defaultMode: 0440") if refused else nullcontext():
        assert token_of(tmp_path / "token") == "x" * 40


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_user_has_a_token_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("x" * 40)
    os.chown(file, 1, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    for mode in (0o600, 0o640):
        file.chmod(mode)
        with nullcontext() if mode == 0o600 else pytest.raises(TokenError):
            token_of(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_no_key_is_written_to_a_folder_that_another_user_has_made_in_its_place(store: Path) -> None:
    with serving(store, "--log-format", "json") as server:
        address = server.address
        server.entry.unlink()
        os.chown(server.entry.parent, 1, 1)
        assert server.ask(address).status_code == 200
        assert not server.entry.exists()
    assert "no further browser can be let in" in server.said


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda file: file.write_text("short"), "holds no token"),
        (lambda file: file.write_text("x" * 600), "holds no token"),
        (lambda file: file.write_bytes(b"\xff" * 40), "cannot be read"),
        (lambda file: file.write_text("x" * 40) and file.chmod(0o604), "chmod 600"),
        (lambda file: file.write_text("x" * 40) and file.chmod(0o620), "chmod 600"),
        (lambda file: file.symlink_to("/etc/passwd"), "must be yours alone"),
        (lambda file: file.symlink_to("nothing"), "cannot be read"),
        (lambda file: os.mkfifo(file), "is no file"),
        (lambda file: file.mkdir(), "token"),
    ],
)
def test_a_file_that_is_no_token_of_ours_is_refused(store: Path, tmp_path: Path, make, why: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "token"
    os.umask(0o077)
    make(file)
    refused = flowcage("ui", "--port", "0", "--no-open", "--store", store, "--token-file", file)
    assert refused.status == 2
    assert why in refused.stderr


# ---- beginning and end -----------------------------------------------------------------------


def test_a_port_in_use_is_said_so(served: Served, store: Path) -> None:
    port = served.origin.rpartition(":")[2]
    refused = flowcage("ui", "--port", port, "--no-open", "--store", store)
    assert refused.status == 2
    assert refused.stderr == (
        f"flowcage: port {port} of 127.0.0.1: Address already in use; choose another one with --port, or 0 "
        "for a free one\n"
    )


def test_an_address_that_is_not_of_this_machine_is_said_so(store: Path) -> None:
    refused = flowcage("ui", "--host", "192.0.2.1", "--no-open", "--store", store)
    assert (refused.status, "Cannot assign requested address" in refused.stderr) == (2, True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_streams_open_that_nobody_reads(store: Path, number: int, status: int) -> None:
    with serving(store) as server:
        client = server.client()
        with client.events("runs/stream") as events, client.events("runs/done-a/stream") as others:
            assert next(events)[0] == "runs"
            assert next(others)[0] == "page"
            assert server.end(number) == status


def test_without_the_extra_it_says_what_to_install(store: Path, tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(name='starlette')")
    (tmp_path / "hypercorn.py").write_text("raise ModuleNotFoundError(name='hypercorn')")
    done = subprocess.run(
        [FLOWCAGE, "ui", "--no-open", "--store", store],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert b"pip install 'flowcage[ui]'" in done.stderr
