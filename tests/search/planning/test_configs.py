"""Which configs compete; files of them: read, or refused with their name and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.errors import InputError
from search.planning.chosen_space import narrowed_space
from search.planning.configs import choose_configs, read_configs
from search.spec.make_spec import make_spec
from spaces import Space
from spaces.projection import SPACE
from tests.search.planning.conftest import planned


def _read(path: Path, content: str | bytes, space: Space = SPACE) -> list[dict[str, object]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [{"k": config["k"], "beta": config["beta"]} for config in read_configs(space, path)]


ROW = "10,0.1,1.0,0.1,0.5"
HEADER = "k,gamma,scale,margin,beta"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", f"{HEADER}\n{ROW}\n\n"),
        ("c.csv", b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n".encode()),
        ("c.CSV", f" {HEADER}\n{ROW}\n"),
        ("c.json", '[{"k": 10, "gamma": 0.1, "lambda": 1, "delta": 0.1, "beta": 0.5}]'),
        ("c.jsonl", '{"k": 10, "gamma": 0.1, "scale": 1, "margin": 0.1, "beta": "0.5"}\n\n'),
    ],
)
def test_files_of_configs(name: str, content: str | bytes, tmp_path: Path) -> None:
    assert _read(tmp_path / name, content) == [{"k": 10, "beta": 0.5}]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "c.csv",
            f"{HEADER}\n{ROW}\n{ROW},7\n",
            "1 of 2 rows have another number of fields (line 3 has 6)",
        ),
        (
            "c.csv",
            f"{HEADER}\n10,0.1\n",
            "1 of 1 rows have another number of fields (line 2 has 2)",
        ),
        ("c.csv", f"k,{HEADER}\n10,{ROW}\n", "has several columns called 'k': leave one"),
        ("c.csv", f'{HEADER}\n"10,0.1\n', "A quote opens a field there and is not closed"),
        ("c.csv", HEADER, "it has a header (k, gamma, scale, margin, beta) and no rows"),
        ("c.csv", b"\xf0\x9f\x00\xff", "holds zero bytes"),
        ("c.csv", f"{HEADER}\n{'1' * 5000},0.1,1.0,0.1,0.5\n", "config 1: A value of axis 'k'"),
        ("c.json", "[" * 100_000, "is nested too deep"),
        ("c.jsonl", "[" * 100_000, "is nested too deep"),
        ("c.json", f'[{{"k": {"1" * 5000}}}]', "value has 5000 digits"),
        ("c.json", f'[{{"k": {"1" * 400}}}]', "config 1: A value of axis 'k'"),
        ("c.json", '[{"k": [10]}]', "config 1: 'k' must have one value, got a list"),
        ("c.json", '[{"k": {"a": 1}}]', "config 1: 'k' must have one value, got a dict"),
        ("c.json", '{"k": 10}', "must be a non-empty list"),
        ("c.json", "[", "is not JSON"),
        ("c.jsonl", '{"k": 10}\n{', "line 2 is not JSON"),
        ("c.json", '[{"kk": 10}]', "config 1: Space 'projection' has no axis 'kk'"),
        ("c.json", '[{"k": 11}]', "config 1: Axis 'k' has no value 11"),
        ("c.yaml", "k: 10", "must be .json, .jsonl or .csv, got 'c.yaml'"),
    ],
)
def test_no_files_of_configs(name: str, content: str | bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        _read(tmp_path / name, content)
    assert why in str(refused.value)
    assert name in str(refused.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "c.json"
    folder.mkdir()
    with pytest.raises(InputError, match="there is no file"):
        list(read_configs(SPACE, folder))


@pytest.mark.parametrize(
    ("fix", "left_out"),
    [({}, ()), ({"drophead": 0.2}, ("drophead",)), ({"positives": False}, ("drophead",))],
    ids=["as declared", "fixed by the user", "an axis fixed"],
)
def test_a_reference_of_a_later_parameter_competes_unless_the_user_fixed_it(
    fix: dict[str, float], left_out: tuple[str, ...]
) -> None:
    spec = make_spec(space="mirror", data="trec", model="minilm", fix=fix)
    _, names, _, out = choose_configs(spec, narrowed_space(spec))
    assert set(left_out) <= set(out)
    assert ("drophead" in names.values()) == ("drophead" not in left_out)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.json", '[{"k": 10, "gamma": 0.1, "lambda": 3.3, "delta": 0.3, "beta": 0.9}]'),
        ("mine.jsonl", '{"k": 10, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9}\n'),
        ("mine.csv", "k,gamma,lambda,delta,beta\n10,0.1,3.3,0.3,0.9\n"),
    ],
)
def test_configs_come_from_a_file_and_race_the_baseline(
    name: str, content: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    plan = planned(fields, configs=str(path))
    assert [plan.axes_of(i) for i in range(len(plan.configs))] == [
        {"beta": 1.0},
        {"k": 10, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9},
    ]


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("mine.json", b"[]", "non-empty"),
        ("mine.json", b'[{"k": ' + b"9" * 5000 + b"}]", "too many digits"),
        ("mine.json", b"[1]", "data row 1 is not a JSON object"),
        ("mine.json", b'[{"k": 10}]', "gamma"),
        ("mine.csv", b"k,beta\n10,0.5,1\n", "the header has 2 columns, but 1 of 1 rows"),
        ("mine.csv", b"k,beta\n10\n", "the header has 2 columns, but 1 of 1 rows"),
        ("mine.csv", b"\xf0\x28\x8c", r"mine\.csv is not UTF-8: byte 0xf0 in line 1"),
        ("mine.csv", b"\x1f\x8b\x08\x00", r"mine\.csv is a gzip archive"),
        ("mine.csv", b"k,beta\n", "no rows"),
    ],
)
def test_a_plan_refuses_a_faulty_file_of_configs(
    name: str, content: bytes, wanted: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=wanted):
        planned(fields, configs=str(path))
