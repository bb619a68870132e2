"""A throwaway server, and the two queues that are measured on it. Knows pgbench and psql, and no measurement."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = ROOT / ".rhythm/bench"


def bin_dir() -> pathlib.Path:
    return pathlib.Path(subprocess.check_output([ROOT / "scripts/pg_config", "--bindir"], text=True).strip())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """As `rhythm dev` starts it, with Postgres' own durable defaults; has the extension in the database `rhythm`."""

    def __init__(self) -> None:
        shutil.rmtree(DATA, ignore_errors=True)
        self.bin = bin_dir()
        self.port = free_port()
        command = [ROOT / "target/release/rhythm", "dev", "--data-dir", DATA, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:1] != ["ready"]:
            raise SystemExit("the server does not start: run `rhythm dev` by hand to see why")
        self.url = ready[1]
        self.env = {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGDATABASE": "rhythm",
        }

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def sql(self, *queries: str) -> str:
        """Runs each query in a transaction of its own; returns what they print."""
        command = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
        for query in queries:
            command += ["-c", query]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{queries[0][:200]}\n{done.stderr}")
        return done.stdout.strip()

    def session(self) -> subprocess.Popen:
        """A psql that reads statements from its standard input."""
        command = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
        return subprocess.Popen(
            command, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def pgbench(self, script: pathlib.Path, clients: int, *, seconds: int = 0, **variables: object) -> float:
        """Runs a script and returns its transactions per second."""
        command = [self.bin / "pgbench", "-n", "-M", "prepared", "-f", script]
        command += ["-c", clients, "-j", min(clients, 2), "-T", seconds]
        for name, value in variables.items():
            command += ["-D", f"{name}={value}"]
        done = subprocess.run([str(part) for part in command], env=self.env, capture_output=True, text=True)
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode != 0 or not rate or "aborted" in done.stderr:
            raise SystemExit(f"pgbench {script.name} failed:\n{done.stdout}{done.stderr}")
        return float(rate[1])

    @contextlib.contextmanager
    def pgbench_until_stopped(self, script: pathlib.Path, clients: int) -> Iterator[None]:
        """Runs a script beside what is done inside the `with`."""
        command = [
            self.bin / "pgbench",
            "-n",
            "-M",
            "prepared",
            "-f",
            script,
            "-c",
            clients,
            "-j",
            min(clients, 2),
            "-T",
            3600,
        ]
        process = subprocess.Popen(
            [str(part) for part in command], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


class Reference:
    """The smallest queue with SKIP LOCKED that is still correct: bench/reference."""

    name = "reference"

    def __init__(self, server: Server) -> None:
        self.server = server
        server.sql((HERE / "reference/schema.sql").read_text())

    def fill(self, count: int) -> None:
        rows = f"select 'noop', '{{\"n\": 1}}' from generate_series(1, {count})"
        self.server.sql(f"insert into jobs (name, payload) {rows}; analyze jobs")

    def start_chains(self, count: int) -> None:
        self.fill(count)

    def finished(self) -> int:
        return int(self.server.sql("select count(*) from jobs where state = 'done'"))

    def script(self, name: str) -> pathlib.Path:
        return HERE / "reference" / f"{name}.sql"


class Rhythm:
    name = "rhythm"

    def __init__(self, server: Server, *, fresh: bool = True) -> None:
        self.server = server
        if fresh:
            server.sql("drop extension if exists rhythm cascade; create extension rhythm")
            source = (HERE / "rhythm/ten_steps.flow").read_text()
            server.sql(f"select rhythm.deploy('ten_steps', $flow${source}$flow$)")

    def fill(self, count: int) -> None:
        rows = f"select ''noop'' as name, jsonb ''{{\"n\": 1}}'' as inputs from generate_series(1, {count})"
        self.server.sql(f"select rhythm.enqueue_rows('{rows}')", "vacuum analyze rhythm.live")

    def start_chains(self, count: int) -> None:
        self.server.sql(f"select count(rhythm.start('ten_steps')) from generate_series(1, {count}); analyze")

    def finished(self) -> int:
        return int(self.server.sql("select count(*) from rhythm.archive where kind = 'task' and state = 'completed'"))

    def script(self, name: str) -> pathlib.Path:
        return HERE / "rhythm" / ("work.sql" if name in ("chain", "two") else f"{name}.sql")
