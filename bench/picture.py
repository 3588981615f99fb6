"""Make pictures of a mail: the README's, and whichever else is asked for.

python -m bench.picture            docs/images/email.png, from a run over seeds/ in a folder of its own
python -m bench.picture FILE.html  FILE-320-light.png and so on, beside it
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import ROOT

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


def shoot(html: Path, picture: Path, width: int, height: int, *, dark: bool = False) -> None:
    """Render a page; Chromium opens no window narrower than 500 px, so a frame holds narrower ones."""
    with tempfile.TemporaryDirectory() as profile:
        page = Path(profile) / "page.html"
        page.write_text(
            f'<body style="margin:0"><iframe src="{html.resolve().as_uri()}" '
            f'style="border:0;width:{width}px;height:{height}px"></iframe>'
        )
        arguments = [f"--user-data-dir={profile}/p", f"--screenshot={picture}"]
        arguments += [f"--window-size={max(width, 500)},{height}"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        subprocess.run(
            [BROWSER, *QUIET, *arguments, page.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            for width in (320, 640):
                for dark in (False, True):
                    scheme = "dark" if dark else "light"
                    page = Path(name)
                    picture = page.with_name(f"{page.stem}-{width}-{scheme}.png")
                    shoot(page, picture, width, 1400, dark=dark)
                    print(picture)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(ROOT / "config", work / "config")
        shutil.copytree(ROOT / "seeds", work / "seeds")
        config = str(work / "config" / "digest.toml")
        command = [sys.executable, "-m", "digest", "--config", config]
        now = "2025-11-21T07:30:00+00:00"
        subprocess.run([*command, "run", "--all", "--now", now], check=True)
        [mail] = (work / "var" / "outbox").glob("*.html")
        picture = ROOT / "docs" / "images" / "email.png"
        picture.parent.mkdir(exist_ok=True)
        shoot(mail, picture, 640, 1180)
        print(picture)


if __name__ == "__main__":
    main()
