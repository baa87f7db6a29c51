"""What every comparison needs: workers, one clock for all of them, turns, a table, a plot and JSON lines.

A case is a file NAME.py that calls this, beside a list NAME.txt of the packages that it needs. An engine joins as a
process that reads requests from stdin, a line each, and answers each with a line of JSON. The clocks are held here: CPU
time is what the kernel charged the worker's process (Linux), all of its threads included, between request and answer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = Path("/usr/bin/python3")
DATA = Path(os.environ["LOOKALIKE_BENCH_DATA"])


def arguments(about, data=None, more=()):
    """The options that every case has; the folder of the data, in cases that say what that is; and a case's own."""
    parser = argparse.ArgumentParser(description=about.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller data and fewer rounds: within a minute")
    parser.add_argument("--json", metavar="FILE", help="append the results to FILE, a JSON object a line")
    if data:
        parser.add_argument("--data", metavar="DIR", help=data)
    for name, settings in more:
        parser.add_argument(name, **settings)
    return parser.parse_args()


def build(binary, package="lookalike-tools", features=()):
    """Builds a worker of the crate `lookalike-tools`, or the product, and returns its path."""
    command = ["cargo", "build", "--release", "-p", package, "--bin", binary, "--message-format=json"]
    command += [f"--features={','.join(features)}"] * bool(features)
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, built.stdout.splitlines())
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == binary)


def python_with(*modules):
    """This Python if it has the modules, else Debian's; whether it is this one.

    Debian's PyTorch has a reference BLAS, which takes twice to fifteen times the time of the Python index's.
    """
    has = lambda python: not subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True).returncode
    if has(sys.executable):
        return sys.executable, True
    if has(DEBIAN):
        names = ", ".join(modules)
        print(f"{names}: Debian's, which are slow; `pip install {names}` into {sys.prefix} for a fair peer", file=sys.stderr)
        return DEBIAN, False
    raise SystemExit(f"neither {sys.executable} nor {DEBIAN} has {', '.join(modules)}: install python3-torch")


@dataclass(frozen=True)
class Engine:
    """Something that is compared and has no process of its own while others run."""

    name: str


def run(command):
    """Runs a process from start to end: (CPU seconds, wall seconds, peak memory in MB, what it printed)."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024, printed


class Worker:
    """An engine in a process of its own. `hello` is what it said when it was ready."""

    def __init__(self, name, command):
        # Threads that spin while they wait would be charged for it.
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "CANDLE_NUM_THREADS": "1"}
        self.name = name
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.hello = self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker of {self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, request):
        """The answer to a request."""
        print(request, file=self.process.stdin, flush=True)
        return self._read()

    def time(self, request):
        """(CPU seconds, wall seconds) of a request."""
        clock = (~self.process.pid << 3) | 2  # clock_getcpuclockid(3), which Python has no name for
        cpu, wall = time.clock_gettime(clock), time.perf_counter()
        self.ask(request)
        return time.clock_gettime(clock) - cpu, time.perf_counter() - wall

    def close(self):
        """Hangs up, and waits for the end."""
        self.process.stdin.close()
        self.process.wait()

    def resident_mb(self):
        """(private, mapped from files) resident memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return tuple(int(fields[key].split()[0]) / 1024 for key in ("RssAnon", "RssFile"))


def in_turns(workers, request, seconds, rounds):
    """Each worker's median (CPU, wall) seconds a unit of work, all taking turns so that a slow minute hits all alike.

    `request(n)` asks for `n` units of work. Each turn lasts about `seconds`.
    """
    count, taken = {}, {worker: [] for worker in workers}
    for worker in workers:
        worker.time(request(1))  # touches the pages, starts the threads
        count[worker] = max(1, min(1000, round(seconds / worker.time(request(1))[1])))
    for turn in range(rounds):
        # Nobody is always the one after a certain other.
        for worker in workers[turn % len(workers) :] + workers[: turn % len(workers)]:
            cpu, wall = worker.time(request(count[worker]))
            taken[worker].append((cpu / count[worker], wall / count[worker]))
    return {w: tuple(statistics.median(column) for column in zip(*times)) for w, times in taken.items()}


def compare(case, ours, peer, unit, times, scale=1.0, **more):
    """A result: times in `unit`, where `scale` of them are a second; a ratio above 1 where we are ahead."""
    (our_cpu, our_wall), (peer_cpu, peer_wall) = times[ours], times[peer]
    return {
        "case": case,
        "ours": round(our_cpu * scale, 4),
        "peer": round(peer_cpu * scale, 4),
        "peer_name": peer.name,
        "unit": unit,
        "ratio": round(peer_cpu / our_cpu, 3),
        "our_name": ours.name,
        "wall_ours": round(our_wall * scale, 4),
        "wall_peer": round(peer_wall * scale, 4),
        "wall_ratio": round(peer_wall / our_wall, 3),
    } | more


def table(header, rows):
    """Prints columns: the first to the left, the others to the right."""
    rows = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]))
    print()


def bars(name, title, groups, unit):
    """Draws `{group: {engine: value}}` as bars, less is better, and prints where."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(groups), 1, figsize=(9, 1 + 1.6 * len(groups)), layout="constrained")
    for axis, (group, values) in zip([axes] if len(groups) == 1 else axes, groups.items()):
        colours = ["#c8553d" if engine.startswith("lookalike") else "#8a9ba8" for engine in values]
        drawn = axis.barh(list(values), list(values.values()), color=colours)
        axis.bar_label(drawn, fmt="%.3g", padding=3)
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.set_title(group, loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{title}: {unit}, less is better")
    path = DATA / "plots" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"plot: {path}")


def finish(results, file):
    """Prints the comparisons, and appends them to the file as JSON lines."""
    table(
        ["case", "ours", "peer", "of", "unit", "ahead, CPU", "ahead, wall"],
        [
            [r["case"], f"{r['ours']:.3f}", f"{r['peer']:.3f}", r["peer_name"], r["unit"]]
            + [f"{r['ratio']:.2f} x", f"{r['wall_ratio']:.2f} x"]
            for r in results
        ],
    )
    if file:
        with open(file, "a") as lines:
            lines.writelines(json.dumps(result) + "\n" for result in results)
