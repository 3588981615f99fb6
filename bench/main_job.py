"""What does the main job cost, against importing the libraries it stands on? And where does it go?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import ROOT, report

LIBRARIES = """alembic.command alembic.config babel.dates click cryptography email.header feedgen.feed
jinja2 lxml.etree numpy premailer pydantic_settings sqlalchemy Stemmer email_validator""".split()
LIBRARIES.remove("cryptography")  # not used yet
ROUNDS = 5


def children_cpu(command: list[str], folder: Path) -> float:
    before = os.times()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


def workplace() -> Path:
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    return folder


PHASES = """
import time
from digest.cli import main
import digest.pipeline as p, digest.store as s, digest.rank as r, digest.render as m
import json, sys
spent = {}
def timed(module, name):
    work = getattr(module, name)
    def wrapped(*args, **kwargs):
        started = time.process_time()
        try:
            return work(*args, **kwargs)
        finally:
            spent[name] = spent.get(name, 0) + time.process_time() - started
    setattr(module, name, wrapped)
timed(s, "require_current"); timed(p, "ingest_sources"); timed(p, "compose")
timed(p, "deliver"); timed(p, "publish"); timed(m, "load"); timed(r, "fit")
sys.argv = ["digest", "run", "--all"]
try:
    main()
except SystemExit:
    pass
print(json.dumps(spent), file=sys.stderr)
"""


def phases() -> dict[str, float]:
    import json

    folder = workplace()
    done = subprocess.run(
        [sys.executable, "-c", PHASES], cwd=folder, check=True, capture_output=True, text=True
    )
    shutil.rmtree(folder)
    spent: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return spent


if __name__ == "__main__":
    imports = [sys.executable, "-c", "import " + ", ".join(LIBRARIES)]
    job = [sys.executable, "-m", "digest", "run", "--all"]
    taken: dict[str, list[float]] = {"import": [], "job": []}
    for _ in range(ROUNDS):
        folder = workplace()
        taken["import"].append(children_cpu(imports, folder))
        taken["job"].append(children_cpu(job, folder))
        shutil.rmtree(folder)
    rows = {name: median(times) for name, times in taken.items()}
    rows |= {f"of which {name}": seconds for name, seconds in phases().items()}
    report(
        "The main job on seeds/, from nothing to mail and feeds (budget: 3 times)",
        rows,
        {"job / import": rows["job"] / rows["import"]},
    )
