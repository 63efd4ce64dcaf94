"""The standard library as kernels' rust-analyzer reads it: what a cell meets of it, without what functions do.

evcxr asks rust-analyzer for the type of each `let`; for that it first reads all of the library's source. What a function takes and gives, and its
documentation, stand before its body. Half of the real folder is the processors' instructions, one by one, which are left out, too.
"""

import re
from pathlib import Path

# The crates whose types a cell meets.
CRATES = ("core", "alloc", "std", "proc_macro")

TOKEN = re.compile(
    r"""//[^\n]*                                            # comments; those in /* … */ are found by their nesting
      | /\*
      | (?:b|c|br|cr|r)?(?P<hashes>\#*)"                    # how a string begins
      | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\])'   # characters
      | '?[^\W\d]\w*                                        # names and lifetimes
      | \d[\w]*
      | \s+
      | .""",
    re.VERBOSE | re.DOTALL,
)


def write(folder: Path, source: Path) -> None:
    """Writes the crates' source, without bodies, from Rust's `library` folder."""
    for crate in CRATES:
        for file in sorted((source / crate).rglob("*")):
            if file.is_file() and file.relative_to(source).parts[1] in ("Cargo.toml", "src"):
                there = folder / file.relative_to(source)
                there.parent.mkdir(parents=True, exist_ok=True)
                text = file.read_bytes()
                there.write_bytes(interface(text.decode()).encode() if file.suffix == ".rs" else text)


def interface(text: str) -> str:
    """Rust's source without the bodies of its functions, also of those that macros make. `const` functions keep theirs: lengths of arrays may be
    computed with them."""
    tokens = tokens_of(text)
    kept, at = [], 0
    while at < len(tokens):
        kept.append(tokens[at])
        at += 1
        is_type = next((token for token in tokens[at : at + 2] if not token.isspace()), "") == "("
        if tokens[at - 1] != "fn" or is_type or is_const(kept[-12:-1]):
            continue
        # The signature goes to the first brace or semicolon that is in no bracket.
        depth = 0
        while at < len(tokens):
            token = tokens[at]
            if depth == 0 and token == "{":
                kept.append("{}")
                at = behind(tokens, at)
                break
            depth += (token in "([{") - (token in ")]}")
            if depth < 0 or (depth == 0 and token == ";"):
                break
            kept.append(token)
            at += 1
    return "".join(kept)


def is_const(before: list) -> bool:
    """Whether a `fn` after these tokens is one for constants."""
    qualifiers = (token for token in reversed(before) if not token.isspace())
    return next((token for token in qualifiers if token not in ("unsafe", "extern", "safe", "async", '"C"')), "") == "const"


def behind(tokens: list, at: int) -> int:
    """Where what the brace at this place opens has ended."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] == "{") - (tokens[at] == "}")
        at += 1
        if depth == 0:
            break
    return at


def tokens_of(text: str) -> list:
    """The text in pieces, none of which is half a comment, string or name."""
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        token = found.group()
        end = found.end()
        if token == "/*":
            end = end_of_comment(text, end)
        elif token.endswith('"') and not token.startswith("//"):
            end = end_of_string(text, end, "r" in token, found["hashes"])
        tokens.append(text[at:end])
        at = end
    return tokens


def end_of_comment(text: str, at: int) -> int:
    depth = 1
    for found in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


def end_of_string(text: str, at: int, raw: bool, hashes: str) -> int:
    if raw:
        end = text.find('"' + hashes, at)
        return len(text) if end < 0 else end + 1 + len(hashes)
    found = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL).match(text, at)
    return found.end() if found else len(text)
