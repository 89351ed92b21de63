"""nas doctor: what this machine has and what nas would use."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from nas.cli.terminal import Format, RunsDir, output
from nas.command_line import RUNS_DIR


def doctor(
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table, runs_dir: RunsDir = RUNS_DIR
) -> None:
    """Show versions, devices, precision and disk, what would be used, and why not the rest."""
    from nas.devices.machine import inspect_machine

    found = inspect_machine(runs_dir)
    if format is Format.json:
        output.file.write(json.dumps(found, indent=2) + "\n")
        return
    machine, choice, disk = found["machine"], found["choice"], found["runs_dir"]
    memory = machine["memory_bytes"]
    lines = [
        ("versions", ", ".join(f"{name} {version or 'missing'}" for name, version in found["versions"].items())),
        (
            "machine",
            f"{machine['system']}, {machine['usable_cpus']} usable CPUs"
            + (f", {memory / 2**30:.1f} GiB memory" if memory else ""),
        ),
        *(("device", _device(device)) for device in found["devices"]),
        *(("card", line) for line in found["nvidia"]),
        ("would use", f"{choice['device']}: {choice['why']}; Keras on {choice['backend']}"),
        *((f"not {device}", reason) for device, reason in choice["why_not"].items()),
        *((policy, remark) for policy, remark in found["precision"].items()),
        (
            "runs",
            f"{disk['path']}: {'writable' if disk['writable'] else 'NOT writable'}, "
            f"{(disk['free_bytes'] or 0) / 2**30:.1f} GiB free",
        ),
    ]
    if not found["probe"]["ok"]:
        lines.append(("problem", found["probe"]["reason"]))
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        output.print(f"{name:<{width}}  {text}", markup=False, soft_wrap=True)


def _device(device: dict[str, Any]) -> str:
    memory = device.get("memory_bytes")
    told = [device["description"] or device["kind"], *([f"{memory / 2**30:.1f} GiB"] if memory else [])]
    return f"{device['name']} ({', '.join(told)})"
