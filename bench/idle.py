"""What does `digest serve` cost while there is nothing to do? 1,000 subscribers, two minutes of real time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import ROOT, SEEDS

SUBSCRIBERS = 1000
SECONDS = 120
_WORDS = "experts routing reasoning agents diffusion retrieval alignment quantization video speech".split()


def configure(folder: Path) -> None:
    """Write the shipped configuration with many subscribers, each at another minute."""
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "seeds").mkdir()
    for file in SEEDS:
        shutil.copy(file, folder / "seeds")
    tables = [
        f'[[subscriber]]\nname = "reader {n}"\nemail = "reader{n}@example.org"\ntimezone = "UTC"\n'
        f'send_at = "{n // 60 % 24:02}:{n % 60:02}"\n[[subscriber.interest]]\n'
        f'keywords = ["{_WORDS[n % 10]}", "{_WORDS[(n + n // 10) % 10]} model"]\n'
        for n in range(SUBSCRIBERS)
    ]
    (folder / "config/interests.toml").write_text("\n".join(tables))


def state(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and resident megabytes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Let everybody have an edition, then watch an idle service."""
    command = [sys.executable, "-m", "digest"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configure(folder)
        environ = os.environ | {"PYTHONPATH": str(ROOT), "DIGEST_WEB__LISTEN": "127.0.0.1:0"}
        subprocess.run(
            [*command, "run", "--all"], cwd=folder, env=environ, check=True, capture_output=True
        )
        with subprocess.Popen(
            [*command, "serve"], cwd=folder, env=environ, stderr=subprocess.PIPE
        ) as served:
            assert served.stderr
            for line in served.stderr:
                if b"ran; " in line:
                    break
            before, _ = state(served.pid)
            time.sleep(SECONDS)
            after, memory = state(served.pid)
            served.send_signal(signal.SIGTERM)
            served.stderr.read()
    share = 100 * (after - before) / SECONDS
    print(f"digest serve, {SUBSCRIBERS} subscribers, {SECONDS} s after its first pass")
    print(f"  memory {memory:8.1f} MB")
    print(f"  CPU    {share:8.2f} % of a core")
    print(json.dumps({"idle MB": round(memory, 1), "idle % of a core": round(share, 3)}))


if __name__ == "__main__":
    main()
