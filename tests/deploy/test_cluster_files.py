"""examples/kubernetes and examples/compose: each object fits its schema, and what it starts is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import kubernetes_validate
import pytest
import yaml

from flowcage.child.cage.policy import policy
from flowcage.host.cli.main import cli
from flowcage.host.cli.runs.places import VARIABLE
from flowcage.host.durable.address import PASSWORD, read_address

from ..e2e.command import DEADLINE, FLOWCAGE

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "examples" / "kubernetes"
BASE = KUBERNETES / "base"
COMPOSE = yaml.safe_load((ROOT / "examples" / "compose" / "compose.yaml").read_text())
CONTAINERFILE = (ROOT / "examples" / "deploy" / "Containerfile").read_text()
PROFILE = KUBERNETES / "full-cage" / "seccomp.json"
KUBECTL = shutil.which("kubectl")


def objects() -> Iterator[tuple[str, Any]]:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    for name in listed:
        for each in yaml.safe_load_all((BASE / name).read_text()):
            yield f"{name} {each['kind']}", each


OBJECTS = dict(objects())
WORKER = OBJECTS["worker.yaml Deployment"]
DEPLOYMENTS = [each for each in OBJECTS.values() if each["kind"] == "Deployment"]


def container_of(deployment: Any) -> Any:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container


def commands() -> Iterator[tuple[str, list[str]]]:
    for each in DEPLOYMENTS:
        yield each["metadata"]["name"], container_of(each)["args"]
    for name, service in COMPOSE["services"].items():
        if service["image"] == "flowcage":
            words = [re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", word) for word in service["command"]]
            yield f"compose {name}", words


COMMANDS = dict(commands())


def parsed(words: list[str]) -> dict[str, Any]:
    """What a command is given by these words; click refuses what there is not."""
    command = cli.commands[words[0]]
    with click.Context(cli) as parent, command.make_context(words[0], words[1:], parent=parent) as context:
        return context.params


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_fits_the_schema_of_its_kind(name: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], "1.32", strict=True)


def test_each_file_is_one_that_is_applied() -> None:
    files = {path.name for path in BASE.iterdir()} - {"kustomization.yaml"}
    assert files == {name.split()[0] for name in OBJECTS}


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("folder", "profile"),
    [
        ("base", {"type": "RuntimeDefault"}),
        ("full-cage", {"type": "Localhost", "localhostProfile": "flowcage.json"}),
    ],
)
def test_kustomize_makes_objects_of_the_folder(folder: str, profile: dict[str, str]) -> None:
    assert KUBECTL is not None
    command = [KUBECTL, "kustomize", str(KUBERNETES / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    made = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}
    assert len(made) == len(OBJECTS)
    worker = made["Deployment", "flowcage-worker"]
    assert worker["spec"]["template"]["spec"]["securityContext"]["seccompProfile"] == profile
    assert "/" in container_of(worker)["image"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_options_that_it_is_given(name: str) -> None:
    assert parsed(COMMANDS[name])


def test_the_grace_of_a_worker_is_shorter_than_that_of_its_container() -> None:
    pod = WORKER["spec"]["template"]["spec"]
    assert parsed(COMMANDS["flowcage-worker"])["grace"] <= pod["terminationGracePeriodSeconds"] - 20
    given = COMPOSE["services"]["worker"]["stop_grace_period"]
    assert parsed(COMMANDS["compose worker"])["grace"] <= int(given.removesuffix("s")) - 20


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["metadata"]["name"])
def test_a_pod_has_no_right_that_it_does_not_need(deployment: Any) -> None:
    pod, container = deployment["spec"]["template"]["spec"], container_of(deployment)
    (user,) = re.findall(r"--uid ([0-9]+)", CONTAINERFILE)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(user)
    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (kept,) = re.findall(r"XDG_STATE_HOME=(\S+)", CONTAINERFILE)
    assert {f"{kept}/flowcage", "/tmp"} <= {each["mountPath"] for each in container["volumeMounts"]}
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["metadata"]["name"])
def test_probes_and_scrapes_ask_where_metrics_are_served(deployment: Any) -> None:
    container, template = container_of(deployment), deployment["spec"]["template"]
    served = parsed(container["args"])["metrics_addr"]
    (port,) = container["ports"]
    assert served == f"0.0.0.0:{port['containerPort']}"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    probes = [each for name, each in container.items() if name.endswith("Probe")]
    assert probes
    assert [each["httpGet"] for each in probes] == [{"path": "/metrics", "port": port["name"]}] * len(probes)


def test_what_selects_workers_selects_them() -> None:
    labels = WORKER["spec"]["template"]["metadata"]["labels"]
    budget = OBJECTS["disruption.yaml PodDisruptionBudget"]["spec"]
    assert budget["selector"]["matchLabels"] == labels == WORKER["spec"]["selector"]["matchLabels"]
    scaler = OBJECTS["autoscaler.yaml HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == WORKER["metadata"]["name"]
    assert "replicas" not in WORKER["spec"]
    assert budget["maxUnavailable"] < scaler["minReplicas"]


def test_the_autoscaler_reads_what_the_adapter_makes() -> None:
    rules = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    scaler = OBJECTS["autoscaler.yaml HorizontalPodAutoscaler"]["spec"]
    read = [each["external"]["metric"]["name"] for each in scaler["metrics"]]
    assert read == [rule["seriesQuery"] for rule in rules]
    slots = parsed(COMMANDS["flowcage-worker"])["slots"]
    assert all(int(each["external"]["target"]["averageValue"]) <= slots for each in scaler["metrics"])


def test_a_worker_tells_what_the_autoscaler_reads(tmp_path: Path) -> None:
    words = [
        each for each in COMMANDS["flowcage-worker"] if not each.startswith(("--agent", "--metrics", "--log"))
    ]
    command: list[str | Path] = [
        FLOWCAGE,
        *words,
        "--agent=mock",
        "--metrics-addr=127.0.0.1:0",
        f"--store={tmp_path}/runs.db",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stderr is not None
            (where,) = re.findall(r"metrics at (http://\S+)", worker.stderr.readline())
            told = httpx.get(where, timeout=DEADLINE).text
            worker.terminate()
            assert worker.wait(DEADLINE) == 0
        finally:
            worker.kill()
    read = re.findall(r"flowcage_[a-z_]+", (KUBERNETES / "prometheus-adapter.yaml").read_text())
    for name in {"flowcage_queue_depth", *read}:
        assert f'{name}{{pool=""}} 0.0' in told


def test_the_secret_is_an_address_without_its_password() -> None:
    given = OBJECTS["secret.yaml Secret"]["stringData"]
    assert set(given) == {VARIABLE, PASSWORD}
    assert read_address(given[VARIABLE]).password is None
    for each in DEPLOYMENTS:
        assert container_of(each)["envFrom"] == [{"secretRef": {"name": "flowcage-store"}}]


def test_compose_gives_every_command_the_store_of_its_database() -> None:
    database = COMPOSE["services"]["postgres"]["environment"]
    for name, service in COMPOSE["services"].items():
        if name == "postgres":
            continue
        given = service["environment"]
        user, database_name = database["POSTGRES_USER"], database["POSTGRES_DB"]
        assert read_address(given[VARIABLE]).server == f"postgresql://{user}@postgres/{database_name}"
        assert given[PASSWORD] == database["POSTGRES_PASSWORD"]
        assert service["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    (published,) = COMPOSE["services"]["ui"]["ports"]
    assert published.startswith("127.0.0.1:")


def test_the_filter_of_the_container_leaves_room_for_that_of_the_cage() -> None:
    profile = json.loads(PROFILE.read_text())
    (rule,) = profile["syscalls"]
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert rule.keys() == {"action", "names"}
    known = set(rule["names"])
    assert {"unshare", "prctl", "capset", "landlock_create_ruleset", "landlock_restrict_self"} <= known
    of_child = policy(reads=0, writes=(1,), status=2, pid=3)
    assert of_child.allowed.keys() - known == set()
    assert not known & {
        "mount",
        "setns",
        "ptrace",
        "bpf",
        "kexec_load",
        "init_module",
        "keyctl",
        "io_uring_setup",
    }
    (option,) = [
        each for each in COMPOSE["services"]["worker"]["security_opt"] if each.startswith("seccomp:")
    ]
    assert (ROOT / "examples" / "compose" / option.removeprefix("seccomp:")).resolve() == PROFILE
