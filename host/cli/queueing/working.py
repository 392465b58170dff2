"""``flowcage worker``."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Dollars, FilePath, Seconds, fail
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.operating import logs, metrics
from flowcage.host.cli.runs import access
from flowcage.host.cli.setup.options import choosing_or
from flowcage.host.durable.address import StorePlace
from flowcage.protocol.messages import ISOLATIONS

if TYPE_CHECKING:
    from flowcage.host.cli.queueing.tenants_file import Tenants
    from flowcage.host.durable.errors import StoreFailed
    from flowcage.host.durable.store import Store
    from flowcage.host.run.options import RunOptions
    from flowcage.host.tenants.host import Host
    from flowcage.host.tenants.working.worker import Worker

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command(cls=Command, epilog="Exit status: 0 drained after a signal, 2 usage, 125 flowcage's fault.")
@access.STORE
@click.option("--pool", "pools", multiple=True, help="Take runs of this pool; may be repeated.  "
              "[default: the usual one]")  # fmt: skip
@click.option("--slots", type=click.IntRange(1), help="Runs at once.  [default: eight for each CPU]")
@click.option("--name", help="What flowcage cluster calls it.  [default: of this machine and process]")
@choosing_or("that of the user's flowcage.toml; there must be one")
@click.option("--agent-timeout", type=Seconds(), help="Time for one attempt of an agent.  [default: 10m]")
@click.option("--agent-idle-timeout", type=Seconds(), help="Time without a sign of life, after which an "
              "attempt is over.  [default: none]")  # fmt: skip
@click.option("--max-cost", type=Dollars(), help="Ceiling on what the agents of each run cost, in US "
              "dollars, whatever it was submitted with.  [default: that alone]")  # fmt: skip
@click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True, help="The most that each run may "
              "have of a limit, such as cpuSeconds=60 or retries=3, whatever it asks for.")  # fmt: skip
@click.option("--root", type=FilePath(file_okay=False, exists=True), help="Folder that workflow() may start "
              "files from.  [default: none]")  # fmt: skip
@click.option("--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS),
              help="The cage of all runs.  [default: strict on Linux]")  # fmt: skip
@click.option("--tenants", type=FilePath(), help="What tenants may use of all workers together: a JSON file "
              "of limits, the same for each worker.")  # fmt: skip
@click.option("--grace", type=Seconds(), default=30.0, help="Time for what is at work when it is told "
              "to end; then it is handed over.  [default: 30s]")  # fmt: skip
@click.option("--replays", "marks", metavar="MARK", multiple=True, help="Go on with runs of workers with "
              "this mark, too, as flowcage cluster shows it.")  # fmt: skip
@metrics.option
@logs.option
def worker(store: StorePlace | None, **given: Any) -> None:
    """Take runs from the queue of the store and carry them out, until it is told to end.

    SIGTERM or Ctrl-C drains it: it takes nothing more, runs that only wait fall asleep, the others have the
    time of --grace and are handed over to other workers then. A second signal hands over at once.

    Nobody answers who was not chosen, by --agent or by the user's flowcage.toml.
    """
    tell = logs.teller(given["log_format"], "worker", warns=True)
    try:
        from flowcage.host.cli.queueing.tenants_file import tenants_in

        tenants = tenants_in(given["tenants"])
        options, works = _options(given), _worker(given, tenants)
    except (InputError, ValueError) as error:
        fail(exits.USAGE, str(error))

    async def work(opened: Store) -> None:
        import trio

        from flowcage.host.tenants.host import Host

        host = Host(
            tenants=tenants.named,
            default=tenants.default,
            max_runs=works.most,
            options=options,
            store=opened,
            worker=works,
        )
        # Metrics first: whoever leaves with a message inside the host's block does so in an exception group.
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            with _metrics(given["metrics_addr"], host, opened, tell):
                async with host:
                    tell(f"worker {works.called} takes runs of {_named(works)}, {works.most} at once")
                    await _until_told(host, signals, given["grace"], tell)
            tell("nothing is left")
        for each in _SIGNALS:  # one that comes on the way out would change the exit status
            signal.signal(each, signal.SIG_IGN)

    access.write(store, work, makes=True)


async def _until_told(
    host: Host, signals: AsyncIterator[int], grace: float, tell: Callable[[str], None]
) -> None:
    """Wait for a signal and drain; a second one hands over what is left. Raises `StoreFailed`."""
    import trio

    async with trio.open_nursery() as nursery:

        async def hear() -> None:
            name = signal.Signals(await anext(signals)).name
            tell(f"{name}: nothing more is taken; what is at work has {grace:g} s, or until a second signal")
            nursery.start_soon(host.drain, grace)
            async for _ in signals:
                await host.drain(0)

        nursery.start_soon(hear)
        failure = await _failure_of(host)
        if failure is None:
            await host.drain(grace)
        nursery.cancel_scope.cancel()
    if failure is not None:  # raised outside the nursery, which would wrap it in a group
        raise failure


async def _failure_of(host: Host) -> StoreFailed | None:
    from flowcage.host.durable.errors import StoreFailed

    try:
        await host.until_drained()
    except StoreFailed as error:
        return error
    return None


def _metrics(address: str | None, host: Host, store: Store, tell: Callable[[str], None]) -> Any:
    if address is None:
        return nullcontext()

    def collector() -> Any:
        from flowcage.host.metrics.extras import prometheus_collector
        from flowcage.host.metrics.prometheus_queue import QueueCollector

        return QueueCollector(store, prometheus_collector(host))

    return metrics.shown(address, collector, tell)


def _named(works: Worker) -> str:
    return ", ".join("the usual pool" if each == "" else f"pool {each}" for each in works.pools)


def _worker(given: dict[str, Any], tenants: Tenants) -> Worker:
    from flowcage.host.cli.arguments import limits_of_pairs
    from flowcage.host.resume.new.ceilings import Ceilings
    from flowcage.host.tenants.working.worker import Worker

    own = Ceilings(limits_of_pairs(given["limit_pairs"]))
    what = (given["pools"] or ("",), given["slots"], given["name"], given["marks"], given["max_cost"])
    return Worker(*what, lambda tenant: own.within(tenants.ceilings_of(tenant)).most)


def _options(given: dict[str, Any]) -> RunOptions:
    """Who answers, and the cage; limits come with each run. Raises `InputError`."""
    from flowcage.host.cli.setup.agents import agent_of, identity_of
    from flowcage.host.cli.setup.choice import choose
    from flowcage.host.run.options import RunOptions
    from flowcage.host.workflows.child_workflows import ChildWorkflows

    folder, root = Path.cwd(), given["root"]
    if choose(folder, given) is not None:
        raise InputError(
            "nobody is chosen to answer agent(), and whoever can submit a run would choose what is asked: "
            "give --agent NAME, or agent = in the user's flowcage.toml; flowcage doctor lists the agents"
        )
    return RunOptions(
        agent=agent_of(InputFiles({}), folder, given),
        agent_identity=identity_of(given),
        workflow=_no_child_workflows if root is None else ChildWorkflows(root, root),
        isolation=given["isolation"],
        findings=False,
    )


async def _no_child_workflows(_caller: Any, _request: Any) -> Any:
    from flowcage.host.outcome.errors import RequestRejected

    raise RequestRejected("the worker starts no child workflows: it was started without --root")
