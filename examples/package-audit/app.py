"""The tasks of the package audit. Run with: python -m rhythm worker --url URL app"""

import hashlib
import pathlib
import subprocess
import zlib

import rhythm

INFO = pathlib.Path("/var/lib/dpkg/info")


class PassingFault(Exception):
    """A fault that the next attempt does not meet: injected, so that the demo shows retries."""


@rhythm.task
def list_packages(inputs: dict) -> list[str]:
    """Names installed packages that recorded checksums, the smallest first."""
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Installed-Size} ${binary:Package}\n"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    sized = sorted((int(size or 0), name) for size, _, name in map(partition, listed.splitlines()))
    return [name for _, name in sized if (INFO / f"{name}.md5sums").exists()][: inputs["limit"]]


def partition(line: str) -> tuple[str, str, str]:
    return line.partition(" ")


@rhythm.task
def check_package(inputs: dict, ctx: rhythm.Context) -> dict:
    """Compares a package's files with its recorded checksums."""
    name = inputs["name"]
    # One package in `faults` meets a fault, always the same ones, and only on its first attempt.
    if inputs["faults"] and ctx.attempt == 1 and zlib.crc32(name.encode()) % inputs["faults"] == 0:
        raise PassingFault(f"could not read {name} this time")
    files, missing, changed = 0, 0, []
    for line in (INFO / f"{name}.md5sums").read_text().splitlines():
        recorded, _, path = line.partition("  ")
        files += 1
        try:
            actual = hashlib.md5(pathlib.Path("/", path).read_bytes()).hexdigest()
        except OSError:
            missing += 1
            continue
        if actual != recorded:
            changed.append(path)
    return {"files": files, "missing": missing, "changed": changed, "attempts": ctx.attempt}
