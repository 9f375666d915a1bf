"""Put a transcript of `make demo` into the README: `python -m tests.docs.refresh demo.out`.

Each line that the README shows of a step (its name and subject) takes the transcript's first line of the same step;
what the README cuts off with `…` stays cut off.
"""

import re
import sys
from pathlib import Path

from tests.docs.pages import ANY, ROOT

STEP = re.compile(r"(?P<key>[a-z]+ +[\w-]+(?: r\d+)?) +\d+\.\d s  .*")
TOTAL = re.compile(r"^(The portal stands in .*) \(.* s\)\.$", re.M)


def refreshed(page: str, transcript: str) -> str:
    """The page with the transcript's lines."""
    first: dict[str, str] = {}
    for line in transcript.splitlines():
        if found := STEP.fullmatch(line):
            first.setdefault(found["key"], line)

    def replaced(line: str) -> str:
        found = STEP.fullmatch(line)
        if not found or found["key"] not in first:
            return line
        new = first[found["key"]]
        return f"{new[: new.index(' s  ') + 4]}{ANY}" if line.endswith(ANY) else new

    lines = "\n".join(replaced(line) for line in page.split("\n"))
    total = TOTAL.search(transcript)
    return TOTAL.sub(lambda _: total[0], lines) if total else lines


if __name__ == "__main__":
    readme = ROOT / "README.md"
    words = refreshed(readme.read_text(encoding="utf-8"), Path(sys.argv[1]).read_text(encoding="utf-8"))
    readme.write_text(words, encoding="utf-8")
