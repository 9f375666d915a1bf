"""The project's pages as the tests see them: links, fenced blocks, commands, and sessions that can be run."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "bench").glob("*.md")))
ANY = "…"  # in output shown: whatever stands there, also several lines
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)
_INLINE = re.compile(r"(?<!`)`(rnu [^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_END = "--- end of a command ---"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what follows the language, and its text."""

    language: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A command in a session, and the output that the page shows for it."""

    command: str
    output: str


def blocks(page: Path) -> list[Block]:
    found = []
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        language, _, about = match["info"].strip().partition(" ")
        text = "".join(line.removeprefix(match["indent"]) for line in match["body"].splitlines(keepends=True))
        found.append(Block(language, about, text))
    return found


def links(page: Path) -> list[str]:
    """Targets of a page's relative links."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [target for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)]


def pictures(page: Path) -> dict[Path, str]:
    """The pictures that a page shows, with the words for who does not see them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve(): words for words, target in _PICTURE.findall(text)}


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def commands(page: Path) -> list[list[str]]:
    """Every `rnu …` that a page names, as words: inline, in sessions and in shell blocks."""
    text = page.read_text(encoding="utf-8")
    lines = _INLINE.findall(text)
    for block in blocks(page):
        if block.language in ("sh", "crontab"):
            lines += re.findall(r"(?:^|[= ])(rnu .*)$", block.text, re.M)
        elif block.language == "console":
            lines += [m for shown in session(block) for m in re.findall(r"(?:^|\()(rnu [^|>)]*)", shown.command)]
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[: w.index(ANY)] if ANY in w else w for w in words]


def session(block: Block) -> list[Shown]:
    """The commands of a session (`$ …`, going on with `> …`), each with what it prints."""
    found: list[Shown] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Shown(line[2:], ""))
        elif line.startswith("> "):
            found[-1] = Shown(f"{found[-1].command}\n{line[2:]}", "")
        else:
            found[-1] = Shown(found[-1].command, f"{found[-1].output}{line}\n")
    return found


def run(page: Path, folder: Path, path: str) -> list[tuple[Shown, str]]:
    """Do what a page shows, from top to bottom, in one shell in a folder; what it shows beside what came.

    Blocks with `file=…` are written there, blocks with `add-to=…` at the end of that file.
    """
    script, shown = ["export PATH=" + shlex.quote(path)], []
    for block in blocks(page):
        how, _, target = block.about.partition("=")
        if how in ("file", "add-to"):
            arrow = ">" if how == "file" else ">>"
            script.append(f"mkdir -p $(dirname {target}); cat {arrow} {target} <<'---'\n{block.text}---")
        elif block.language == "console":
            for one in session(block):
                script += [one.command, f"echo '{_END}'"]
                shown.append(one)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    outputs = done.stdout.split(f"{_END}\n")[:-1]
    assert len(outputs) == len(shown), done.stderr
    return list(zip(shown, outputs, strict=True))


def fits(shown: str, came: str) -> bool:
    """Whether output is what a page shows, with `…` for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split(ANY))
    return re.fullmatch(pattern, came, re.S) is not None
