"""How big is an installation, and what of it? A fresh environment from requirements.txt, without extras."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from importlib import metadata
from pathlib import Path

from bench import ROOT

_SHOWN = 5_000_000


def sizes(site: Path) -> Counter[str]:
    """Bytes of each distribution in a folder of packages, as its own record lists them."""
    found: Counter[str] = Counter()
    for each in metadata.distributions(path=[str(site)]):
        files = [site / file for file in each.files or ()]
        name = each.metadata["Name"]
        found[name] += sum(file.stat().st_size for file in files if file.is_file())
        found[name] += sum(  # what Python compiled of them
            file.stat().st_size
            for source in files
            if source.suffix == ".py"
            for file in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")
            if str(file) not in {str(path) for path in files}
        )
    return found


def main() -> None:
    """Install as an operator would, and weigh it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = next(Path(folder).glob("lib/python*/site-packages"))
        pip = [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet"]
        subprocess.run([*pip, str(ROOT)], check=True)
        compile_all = [f"{folder}/bin/python", "-m", "compileall", "-q", str(site)]
        subprocess.run(compile_all, check=False)
        found = sizes(site)
        blocks = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*"))
    total = sum(found.values())
    print(f"{'all of it, on disk':24} {blocks / 1e6:8.0f} MB")
    print(f"{'all of it, as bytes':24} {total / 1e6:8.0f} MB")
    for name, size in found.most_common():
        if size >= _SHOWN:
            print(f"  {name:22} {size / 1e6:8.1f} MB")
    rest = [size for size in found.values() if size < _SHOWN]
    print(f"  {f'{len(rest)} others':22} {sum(rest) / 1e6:8.1f} MB")
    figures = {"MB on disk": round(blocks / 1e6), "MB": round(total / 1e6)}
    print(json.dumps(figures | {f"{n} MB": round(s / 1e6, 1) for n, s in found.most_common(8)}))


if __name__ == "__main__":
    main()
