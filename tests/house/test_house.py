"""The rules of this house that a machine can look after."""

import ast
import re
from pathlib import Path

import pytest

from mappers.translate import DIALECTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts_schema", "mappers", "connectors", "services")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PURE = [path for path in CODE
        if any(path.is_relative_to(ROOT / "services" / room) for room in ("reconciliation", "reporting", "history"))
        or path.parts[len(ROOT.parts)] in ("contracts_schema", "mappers")]  # fmt: skip
EXACT = [path for path in PURE if path.parts[len(ROOT.parts)] != "mappers"]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(p for d in (*PACKAGES, "deploy", "tests") for p in (ROOT / d).rglob("*.md")))
)
LINES_MAX, FUNCTION_MAX = 400, 70


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_file_can_be_taken_in(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < FUNCTION_MAX, node.name


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_what_is_public_in_the_pure_rooms_says_what_it_means(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, "the module says nothing of itself"
    for node in public(tree):
        assert ast.get_docstring(node), f"{node.name} has no docstring"


def public(tree):
    """Public functions and classes of a module, and public methods of public classes."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    top = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    inner = [node for owner in top if isinstance(owner, ast.ClassDef) for node in owner.body]
    return [*top, *(node for node in inner if isinstance(node, kinds) and not node.name.startswith("_"))]


@pytest.mark.parametrize("path", EXACT, ids=name_of)
def test_no_amount_and_no_quantity_is_ever_a_float(path):
    lines = path.read_text().splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        if isinstance(node, ast.Name) and node.id == "float":
            assert re.search(r"_s: float", lines[node.lineno - 1]), node.lineno  # seconds may be


def test_no_test_folder_is_a_package_or_named_like_one():
    assert not list((ROOT / "tests").rglob("__init__.py"))
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert not folders & {*PACKAGES, "alembic", "deploy"}


@pytest.mark.parametrize("dialect", ["milepost", *DIALECTS])
def test_every_dialect_has_its_section_and_golden_pairs(dialect):
    assert re.search(rf"^## {dialect}$", (ROOT / "mappers/MAPPINGS.md").read_text(), re.MULTILINE)
    pairs = list((ROOT / "tests/golden" / dialect).glob("*.facts.json"))
    assert pairs
    assert all(pair.with_name(pair.name.replace(".facts", "")).exists() for pair in pairs)


WORDS = """hold release `hold reason` retention sign-off waiver dispute amendment evidence exception conflict drift
quarantine parked crosswalk position revision rulebook wake review lane lease fact source subject contract milestone
moment fence outbox snapshot sequence targets carried precursor quorum register operator chain doubt refused unreadable
verdict"""


@pytest.mark.parametrize("word", re.findall(r"`([^`]+)`|(\S+)", WORDS), ids=lambda w: w[0] or w[1])
def test_the_glossary_says_what_a_word_means(word):
    glossary = (ROOT / "contracts_schema/GLOSSARY.md").read_text()
    assert re.search(rf"^\| \*\*{word[0] or word[1]}\*\*", glossary, re.MULTILINE | re.IGNORECASE)


def test_the_glossary_is_in_order():
    words = re.findall(r"^\| \*\*([^*]+)\*\*", (ROOT / "contracts_schema/GLOSSARY.md").read_text(), re.MULTILINE)
    assert words == sorted(words, key=str.lower)
    assert len(words) == len(set(words))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_documents_name_no_file_that_does_not_exist(path):
    for named in re.findall(r"`([A-Za-z_][\w./-]*\.(?:py|md|json|yaml|toml|sql))`", path.read_text()):
        near = [path.parent / named, ROOT / named, *(ROOT / package / named for package in PACKAGES)]
        assert any(place.exists() for place in near) or any(ROOT.glob(f"*/**/{named}")), named


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target
