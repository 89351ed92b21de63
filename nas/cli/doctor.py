"""nas doctor: what this machine has and what nas would use."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from nas.cli.terminal import Format, RunsDir, errors, output
from nas.command_line import RUNS_DIR


def doctor(
    format: Annotated[Format, typer.Option(help="Output format.")] = Format.table, runs_dir: RunsDir = RUNS_DIR
) -> None:
    """Show versions, devices, precision and disk space, which device would be used, and why not the others."""
    from nas.devices.machine import look

    found = look(runs_dir)
    if format is Format.json:
        output.file.write(json.dumps(dict(found), indent=2) + "\n")
        return
    errors.print("Looking for devices, which takes some seconds ...", style="dim")
    for key, value in found:
        for name, text in _lines(key, value):
            output.print(f"{name:<14}  {text}", markup=False, soft_wrap=True)


def _lines(key: str, value: Any) -> list[tuple[str, str]]:
    """What is told of a part of what was found, each line with its name."""
    match key:
        case "versions":
            return [("versions", ", ".join(f"{name} {version or 'missing'}" for name, version in value.items()))]
        case "machine":
            memory = f", {value['memory_bytes'] / 2**30:.1f} GiB memory" if value["memory_bytes"] else ""
            return [("machine", f"{value['system']}, {value['usable_cpus']} usable CPUs{memory}")]
        case "runs_dir":
            writable = "writable" if value["writable"] else "NOT writable"
            return [("runs", f"{value['path']}: {writable}, {(value['free_bytes'] or 0) / 2**30:.1f} GiB free")]
        case "nvidia":
            return [("card", line) for line in value]
        case "probe":
            return [] if value["ok"] else [("problem", value["reason"])]
        case "devices":
            return [("device", _device(device)) for device in value]
        case "choice":
            chosen = f"{value['device']}: {value['why']}; Keras on {value['backend']}"
            return [("would use", chosen), *((f"not {device}", why) for device, why in value["why_not"].items())]
        case _:
            return list(value.items())


def _device(device: dict[str, Any]) -> str:
    memory = device.get("memory_bytes")
    told = [device["description"] or device["kind"], *([f"{memory / 2**30:.1f} GiB"] if memory else [])]
    return f"{device['name']} ({', '.join(told)})"
