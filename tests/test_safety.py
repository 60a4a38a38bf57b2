"""Nothing that came from outside is unpickled or run, and nothing listens beyond this machine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path for name in ("search", "spaces", "trainables") for path in (ROOT / name).rglob("*.py")
)
BANNED_MODULES = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
BANNED_CALLS = {"eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load", "torch.load"}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def faults(source: str) -> list[str]:
    """What a source file does that it must not, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = {module.split(".")[0]} | {alias.name.split(".")[0] for alias in node.names}
            found += [f"{node.lineno}: imports {name}" for name in sorted(names & BANNED_MODULES)]
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            plain = any(
                keyword.arg == "weights_only" and getattr(keyword.value, "value", None) is True
                for keyword in node.keywords
            )
            if name in BANNED_CALLS and not plain:
                found.append(f"{node.lineno}: calls {name}")
            for keyword in node.keywords:
                value = ast.unparse(keyword.value)
                # argcomplete's `shell` is a word: "bash".
                fine = value != "True" if keyword.arg == "shell" else value == "False"
                if keyword.arg in ("allow_pickle", "trust_remote_code", "shell") and not fine:
                    found.append(f"{node.lineno}: {keyword.arg}={value}")
            said = any(keyword.arg == "trust_remote_code" for keyword in node.keywords)
            if name.endswith(".from_pretrained") and not said:
                found.append(f"{node.lineno}: may ask for trust_remote_code")
        if isinstance(node, ast.Constant) and node.value in ("0.0.0.0", "::"):
            found.append(f"{node.lineno}: listens everywhere")
    return found


@pytest.mark.parametrize(
    ("source", "faulty"),
    [
        ("import pickle", True),
        ("from joblib import load", True),
        ("torch.load(x)", True),
        ("torch.load(x, weights_only=False)", True),
        ("torch.load(x, weights_only=True)", False),
        ("np.load(f, allow_pickle=True)", True),
        ("np.load(f, allow_pickle=False)", False),
        ("subprocess.run(x, shell=True)", True),
        ("AutoTokenizer.from_pretrained(f)", True),
        ("AutoTokenizer.from_pretrained(f, trust_remote_code=False)", False),
        ("AutoTokenizer.from_pretrained(f, trust_remote_code=own)", True),
        ("serve(host='0.0.0.0')", True),
        ("model.eval()", False),
    ],
)
def test_the_guard_sees_what_it_must(source: str, faulty: bool) -> None:
    assert bool(faults(source)) is faulty


def test_the_guard_reads_all_files() -> None:
    assert len(FILES) > 150
    assert ROOT / "search" / "cluster" / "submit.py" in FILES


# Runs the modeling.py of a folder that foldrace itself wrote: its champion's, and, before it is
# registered, the one that this process has just written.
OWN_CODE = {
    "search/tracking/pyfunc/text_classifier.py": ["38: trust_remote_code=own"],
    # Classes of this file, of transformers' base and of peft, none of which loads code by a name.
    "trainables/engine/refit/_pooled_classifier.py": [
        "94: may ask for trust_remote_code",
        "98: may ask for trust_remote_code",
        "88: may ask for trust_remote_code",
        "93: may ask for trust_remote_code",
    ],
    # A model that a user's own functions made: the user says which registry is trusted.
    "search/tracking/pyfunc/own_function.py": ["15: imports cloudpickle"],
    # Written here, and read again by the process that has written it.
    "trainables/engine/functions/kept_model.py": ["18: imports cloudpickle"],
    "trainables/engine/refit/onnx_file.py": [
        "63: trust_remote_code=True",
        "64: trust_remote_code=True",
    ],
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_unpickled_or_run_and_nothing_listens_everywhere(path: Path) -> None:
    allowed = OWN_CODE.get(path.relative_to(ROOT).as_posix(), [])
    assert faults(path.read_text(encoding="utf-8")) == allowed
