#!/usr/bin/env python3
"""What FastAPI and Pydantic answer to wrong input: tests/golden/pydantic.

Made with pydantic 2.13.5 and fastapi 0.165.0 (pip install pydantic fastapi
httpx), by `tests/golden/make_pydantic.py > tests/golden/pydantic/cases.jsonl`.
tests/unit/test_fields.c holds the same model as a table and compares.
"""
import json
import warnings
from datetime import datetime
from typing import Any, Literal, Optional
from uuid import UUID

warnings.simplefilter("ignore")
from fastapi import FastAPI, Query  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402
from pydantic import BaseModel, ConfigDict, Field  # noqa: E402

app = FastAPI()


class Inner(BaseModel):
    a: int


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")
    s: str
    u: UUID
    l: list[UUID] = Field(min_length=1, max_length=2)
    n: int = Field(30, ge=1, le=100)
    f: float = Field(0.5, ge=0.1, le=1.0)
    b: bool = False
    m: Optional[dict[UUID, UUID]] = None
    t: Optional[datetime] = None
    one: Literal["low"] = "low"
    three: Literal["a", "b", "c"] = "a"
    d: Optional[dict[str, Any]] = None
    q: str = Field("xx", min_length=2, max_length=4)
    q1: str = Field("x", min_length=1, max_length=1)
    x: Optional[Inner] = None
    xs: Optional[list[Inner]] = None


@app.post("/body")
def body(_: Model):
    return None


@app.get("/query")
def query(limit: int = Query(50, ge=1, le=200), flag: bool = False,
          ratio: float = 0.5, cursor: Optional[str] = None, u: Optional[UUID] = None):
    return None


client = TestClient(app)
U = "00000000-0000-0000-0000-000000000000"
good = {"s": "x", "u": U, "l": [U]}
wrong = [
    ("s", [5, None, True, [], {}]),
    ("n", ["abc", "", "1.5", [], {}, 5.5, None, 0, 101, -7]),
    ("f", ["x", {}, 0, 2, None, -0.5]),
    ("b", ["maybe", 3, [], None, 0.5]),
    ("u", ["zz", 5, "0123", "", None, U + "0", "0" * 31 + "g", "g" * 36, "urn:uuid:5",
           U[:35], U.replace("-", "_"), "{" + U, "kb_01hx4mno5pqrstuvwxyz0001", "é" + U[1:]]),
    ("l", [[], [U] * 3, 5, ["x"], [U, 5], None, {}]),
    ("m", [{"bad": U}, {U: "bad"}, {U: 5}, 5, []]),
    ("t", ["abc", [], {}]),
    ("one", ["hi", 5, None]), ("three", ["d", 5]),
    ("d", [5, [], "x"]),
    ("q", ["a", "abcde", "", "äöüßä", 5]), ("q1", ["", "ab"]),
    ("x", [5, {}, {"a": "z"}, []]), ("xs", [[5], [{}], {}, [{"a": 1}, {"a": None}]]),
    ("extra", [5, None, {"a": 1}]),
]


def case(kind, given, answer):
    print(json.dumps({kind: given, "detail": answer.json()["detail"]}, ensure_ascii=False))


for name, values in wrong:
    for value in values:
        given = {**good, name: value}
        case("body", given, client.post("/body", json=given))
for given in [{}, {"s": 5, "n": "x", "zz": 1, "aa": 2}, [1], "x", 5, {**good, "z": 1, "y": 2}]:
    case("body", given, client.post("/body", json=given))
for text in ['{"a":', "", "[1,]", "{'a':1}", '{"a" 1}', "nul", '"abc', '{"a":1}x']:
    if text:
        case("text", text, client.post("/body", content=text.encode(),
                                       headers={"content-type": "application/json"}))
for text in ["limit=abc", "limit=0", "limit=201", "limit=", "limit=1.5", "limit=999999999999999999999",
             "limit=-999999999999999999999", "flag=z", "ratio=x", "ratio=", "u=5", "limit=x&limit=y",
             "limit=%61%20b+c", "flag=2&limit=x", "limit=1e3", "limit=+-5", "limit=0x10"]:
    case("query", text, client.get("/query?" + text))
