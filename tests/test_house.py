"""The picture of the house in CONTRIBUTING.md is true, and no room of it is too large."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = {".py", ".js", ".css", ".j2"}
MAX_LINES, MAX_FUNCTION = 400, 60


def pictured() -> dict[str, str]:
    """Path -> what CONTRIBUTING.md says of it, of the tree that begins with ``hotelviz/``."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = next(block for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL)
                if block.startswith("hotelviz/"))  # fmt: skip
    found: dict[str, str] = {}
    parents: list[str] = []
    for line in tree.splitlines():
        indent, name, words = re.fullmatch(r"( *)(\S+)\s*(.*)", line).groups()
        parents = [*parents[: len(indent) // 2], name.rstrip("/")]
        found["/".join(parents) + ("/" if name.endswith("/") else "")] = words
    return found


def built() -> set[str]:
    """The packages and source files that are there; `__init__` and `__main__` are their package."""
    files = {
        path.relative_to(ROOT) for path in (ROOT / "hotelviz").rglob("*")
        if path.suffix in SOURCES and "__pycache__" not in path.parts
    }  # fmt: skip
    named = {path.as_posix() for path in files if path.stem not in ("__init__", "__main__")}
    return named | {f"{path.parent.as_posix()}/" for path in files}


def sources() -> Iterator[Path]:
    for folder in ("hotelviz", "tests", "benchmarks", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            made = {"_build", "generated", "__pycache__", "node_modules"} & set(path.parts)
            if path.suffix in SOURCES and not made:
                yield path


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines, docstring and decorators left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            described = ast.get_docstring(node, clean=False) is not None
            spared = first.end_lineno - first.lineno + 1 if described else 0
            yield node.name, node.end_lineno - node.lineno + 1 - spared


def script_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines; a function ends where a brace stands below its beginning."""
    begins = re.compile(
        r"^( *)(?:export +|default +|async +|static +)*"
        r"(?:function\*? *(\w*)|(?:const|let|var) +(\w+) *= *(?:async *)?"
        r"(?:function\b|\([^)]*\) *=>|\w+ *=>)|(\w+)\([^()]*\) *(?=\{$)).*\{$"
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if (found := begins.match(line)) and found[4] not in ("if", "for", "while", "switch"):
            ends = (
                n for n in range(number + 1, len(lines)) if lines[n].startswith(f"{found[1]}}}")
            )
            yield (found[2] or found[3] or found[4] or "?"), next(ends, len(lines)) - number + 1


def test_contributing_pictures_every_package_and_file():
    said, there = pictured(), built()
    missing, gone = sorted(there - set(said)), sorted(set(said) - there)
    told = [f"add to the tree in CONTRIBUTING.md: {path}" for path in missing]
    told += [f"take out of it: {path}" for path in gone]
    assert not told, "\n".join(told)
    unsaid = [path for path, words in said.items() if not words and path != "hotelviz/"]
    assert not unsaid, "each line says what is there"


def test_no_file_is_longer_than_a_reader_can_hold():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    long = {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_LINES}
    assert not long, f"split by meaning, {MAX_LINES} lines at most: {long}"


def test_no_function_is_longer_than_a_screen():
    readers = {".py": python_functions, ".js": script_functions}
    long = [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in sources()
        if path.suffix in readers
        for name, lines in readers[path.suffix](path)
        if lines > MAX_FUNCTION
    ]
    assert not long, f"{MAX_FUNCTION} lines at most:\n" + "\n".join(long)


def test_functions_of_scripts_are_measured(tmp_path):
    script = tmp_path / "a.js"
    script.write_text("function one() {\n  if (x) {\n  }\n}\nconst two = (a) => {\n};\n")
    assert dict(script_functions(script)) == {"one": 4, "two": 2}
