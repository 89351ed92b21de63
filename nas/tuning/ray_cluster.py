"""A Ray cluster: started on this machine or joined at its address, and what it has room for."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from nas.errors import NasError
from nas.tuning.workers import TRIALS_A_PROCESS

logger = logging.getLogger(__name__)

Resources = Mapping[str, float]
"""Ray's names of what a node has or a trial needs, such as CPU and GPU, with how many."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A frozen node is given up after half a minute; Ray's own settings wait for it for ever.
    "RAY_grpc_client_keepalive_time_ms": "10000",
    "RAY_grpc_client_keepalive_timeout_ms": "10000",
}
_CONNECT_SECONDS, _CHECK_SECONDS = 10.0, 60.0


def require_ray() -> None:
    """Raises a NasError if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise NasError("engine: ray needs the package ray, which is not installed: pip install 'keras-nas[cluster]'")


@contextmanager
def connected(address: str | None, cores: int) -> Iterator[None]:
    """A cluster of this process' own on this machine, or the one at an address; left again afterwards.

    Ray's processes listen on all interfaces, whatever they are told, and run what they are sent: so there is always a
    token, unless the user has set RAY_AUTH_MODE=disabled. The dashboard and usage statistics stay off.

    Args:
        address: HOST:PORT; None starts a cluster, and never joins one that happens to run here.
        cores: for trials, if a cluster is started.

    Raises:
        NasError: Ray is not there, the cluster cannot be started or joined, asks for no token, or breaks down.
    """
    require_ray()
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address is not None:
        _check(address)
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    if ray.is_initialized():
        raise NasError("this process uses a Ray cluster already; call ray.shutdown() before the search")
    of_own = {"num_cpus": cores, "include_dashboard": False} if address is None else {}
    _protect_token(make=address is None)
    # Ray's news of the cluster would be printed among the results.
    with contextlib.redirect_stdout(sys.stderr):
        with _own_sigterm():
            try:
                ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **of_own)
            except Exception as error:  # noqa: BLE001 - Ray raises plain ones too, such as of a node that timed out
                if address is None:
                    raise NasError(
                        f"cannot start a Ray cluster on this machine: {_first_line(error)}; Ray's logs are in "
                        f"/tmp/ray/session_latest/logs; try again when the machine is less busy, or leave out "
                        f"engine: ray"
                    ) from None
                raise NasError(
                    f"cannot join the Ray cluster at {address}: {_first_line(error)}; this machine must be a node of "
                    f"the cluster and have its token"
                ) from None
        try:
            yield
        except ray.exceptions.RayError as error:
            raise NasError(
                f"the Ray cluster broke down: {_first_line(error)}; everything that finished is kept, and the same "
                f"command resumes the search once the cluster is back"
            ) from error
        finally:
            ray.shutdown()


def nodes() -> list[dict[str, float]]:
    """What each living node of the cluster has."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def room(nodes: Sequence[Resources], need: Resources) -> int:
    """How many trials run at once: each finds all that it needs on one node.

    >>> room([{"CPU": 4, "GPU": 1}, {"CPU": 3}], {"CPU": 2})
    3
    """
    # Some shares, such as a tenth, are a little more than themselves in binary.
    return sum(int(min(node.get(name, 0) / amount for name, amount in need.items()) + 1e-6) for node in nodes)


def share(
    nodes: Sequence[Resources],
    *,
    device: Literal["auto", "cpu", "gpu", "tpu", "jax-cpu"],
    workers: int | Literal["auto"],
    trials: int,
    gpus_per_trial: int = 1,
    trials_per_gpu: int = 1,
) -> tuple[Resources, int]:
    """What one trial needs, and how many run at once.

    GPUs, a share of one, or TPU chips, if that is the device; else the cores are shared out evenly. `auto` takes GPUs
    if any node has one, and as many workers as there is room for.

    Args:
        nodes: of the cluster.
        device: that trains.
        workers: as the user wants it, at least 1.
        trials: of the search.
        gpus_per_trial: GPUs, or TPU chips, that one trial takes.
        trials_per_gpu: how many share a GPU.

    Raises:
        NasError: no node has what a trial needs: Ray would wait for it for ever.
    """
    if device == "tpu":
        need = {"CPU": 1.0, "TPU": float(gpus_per_trial)}
    elif device == "gpu" or (device == "auto" and room(nodes, {"GPU": 1})):
        # Ray counts in ten-thousandths.
        need = {"CPU": 1.0, "GPU": float(gpus_per_trial) if trials_per_gpu == 1 else 10_000 // trials_per_gpu / 10_000}
    else:
        need = {"CPU": 1.0}
    at_once = room(nodes, need)
    if not at_once:
        have = sorted({_text({name: node.get(name, 0) for name in need}) for node in nodes})
        raise NasError(
            f"no node of the Ray cluster can ever run a trial, which needs {_text(need)}: there are {len(nodes)} "
            f"nodes, with {'; '.join(have)}; add a node that has it, or choose another device"
        )
    if workers == "auto":
        return need, min(at_once, trials)
    if workers > at_once:
        logger.warning("the Ray cluster has room for %d trials at once, fewer than the %d workers", at_once, workers)
    if list(need) == ["CPU"]:
        while room(nodes, {"CPU": need["CPU"] + 1}) >= workers:
            need = {"CPU": need["CPU"] + 1}
    return need, workers


def trials_a_process(need: Resources) -> int:
    """How many trials a process may train, one after the other.

    One, if it needs a GPU or a chip: Ray may give the next trial another one, and TensorFlow stays on the first.
    """
    return TRIALS_A_PROCESS if set(need) == {"CPU"} else 1


def _text(resources: Resources) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in resources.items())


def _check(address: str) -> None:
    """Raises a NasError at once if there is no cluster, where Ray tries for minutes, or if it asks for no token.

    The latter is seen by asking without a token, in another process, because Ray reads its settings only once.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise NasError(f"cannot reach the Ray cluster at {address}: {error}; is it running there?") from None
    if os.environ.get("RAY_AUTH_MODE") == "disabled":
        return
    stranger = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(
            command,
            env=stranger | {"RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NasError(f"the Ray cluster at {address} does not answer; see its logs") from None
    if done.returncode == 0:
        raise NasError(
            f"the Ray cluster at {address} asks for no token: whoever reaches it can run code on it, and on this "
            f"machine; start all of its nodes with a token (ray get-auth-token --generate), or set "
            f"RAY_AUTH_MODE=disabled if that is what you want"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _protect_token(*, make: bool) -> None:
    """Keep the token from other users of the machine before Ray, which makes one that all can read, needs it.

    Args:
        make: one if there is none. Where that fails, Ray says why.
    """
    path = Path.home() / ".ray" / "auth_token"
    elsewhere = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    with contextlib.suppress(OSError):
        if make and os.environ["RAY_AUTH_MODE"] == "token" and not elsewhere and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".auth_token.{secrets.token_hex(8)}")
            try:
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(secrets.token_hex(32))
                os.link(draft, path)  # whole, and unless another process was first
            finally:
                draft.unlink()
        path.chmod(0o600)


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray makes SIGTERM leave the process at once; what it means is the search's decision."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
