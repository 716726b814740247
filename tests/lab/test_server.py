"""The lab's HTTP interface, through starlette's test client: answers, limits, and who is let in."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from nmt_attn.lab.batcher import Limits
from nmt_attn.lab.examples import SHIPPED, shipped_examples, shipped_models
from nmt_attn.lab.guard import SECURITY
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.requests import MAX_BODY_BYTES, MAX_TOKENS
from nmt_attn.lab.server import make_app
from nmt_attn.lab.service import Lab

LIGHTS = "Turn off the lights"
TRANSLATION = "लाइट बंद करो"
POSTS = ("translate", "steps", "beam", "formula", "score", "align", "neighbours")
SEED = 7


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The models of the package."""
    with shipped_models() as folders:
        models = {folder.name: LabModel.load(folder) for folder in folders}
    yield Lab(models, shipped_examples())


@pytest.fixture(scope="module")
def client(lab: Lab) -> Iterator[TestClient]:
    with TestClient(make_app(lab), "http://127.0.0.1:8000") as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Any:
    """The answer, which must be one."""
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: Any) -> tuple[int, str]:
    """Status and sentence of an error."""
    return answer.status_code, answer.json()["error"]


def test_the_models_and_examples_are_listed(client: TestClient) -> None:
    found = client.get("/api/models").json()
    assert [model["name"] for model in found["models"]] == ["bahdanau", "luong", "luong-local"]
    assert found["models"][0] | {"style": "bahdanau", "score": "additive", "window": "global"} == found["models"][0]
    assert found["examples"][0] == {"source": LIGHTS, "target": TRANSLATION, "links": [[0, 2], [1, 1], [3, 0]]}
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("model", SHIPPED)
def test_a_sentence_is_translated_scored_aligned_and_traced_alike(client: TestClient, model: str) -> None:
    [translation] = post(client, "translate", model=model, text=LIGHTS, beam=5)["translations"]
    assert translation["hypotheses"][0]["text"] == TRANSLATION
    steps = post(client, "steps", model=model, text=LIGHTS)
    assert (steps["text"], steps["source"]) == (TRANSLATION, [*LIGHTS.split(), "</s>"])
    assert [step["word"] for step in steps["steps"]] == [*TRANSLATION.split(), "</s>"]
    score = post(client, "score", model=model, source=LIGHTS, target=TRANSLATION)
    assert score["log_prob"] == pytest.approx(steps["log_prob"], abs=1e-3)
    align = post(client, "align", model=model, source=LIGHTS, target=TRANSLATION)
    for row, step in zip(align["weights"], steps["steps"], strict=True):
        assert row == pytest.approx(step["weights"], abs=1e-3)
    assert [3, 0] in align["links"]
    [aligned] = post(client, "translate", model=model, text=LIGHTS, beam=5, alignments=True)["translations"]
    assert {name: aligned["hypotheses"][0][name] for name in ("source", "target")} == {
        name: align[name] for name in ("source", "target")
    }
    beam = post(client, "beam", model=model, text=LIGHTS, beam=3)
    assert [node["word"] for node in beam["nodes"] if node["best"]] == [*TRANSLATION.split(), "</s>"]


def test_a_formula_has_the_terms_of_the_score(client: TestClient) -> None:
    score = post(client, "steps", text=LIGHTS)["steps"][0]["scores"][3]
    found = post(client, "formula", text=LIGHTS, step=0, position=3)
    assert sum(vector * outside for vector, _, outside in found["terms"]) == pytest.approx(score, abs=0.01)
    status, sentence = refusal(client.post("/api/formula", json={"text": LIGHTS, "step": 0, "position": 5}))
    assert (status, sentence) == (422, "position: expected 0 to 4, got 5")


def test_given_weights_and_words_change_the_translation(client: TestClient) -> None:
    forced = post(client, "steps", text=LIGHTS, prefix=["किताब"])
    assert forced["text"] == "किताब बंद करो"
    looked = post(client, "steps", text=LIGHTS, given={"0": [1, 0, 0, 0, 0]})
    assert looked["steps"][0]["given"]
    assert looked["steps"][0]["weights"] == [1, 0, 0, 0, 0]
    assert looked["text"] != TRANSLATION
    for body, expected in [
        ({"given": {"0": [1, 0]}}, "weights of step 0: expected 5 numbers, one a source token and </s>, got 2"),
        ({"given": {"0": [0, 0, 0, 0, 0]}}, "not all 0"),
        ({"prefix": ["xyz"]}, "prefix: expected tokens of the target's vocabulary, got 'xyz'"),
    ]:
        status, sentence = refusal(client.post("/api/steps", json={"text": LIGHTS, **body}))
        assert status == 422
        assert expected in sentence


def test_translations_of_one_moment_are_made_together(client: TestClient, lab: Lab) -> None:
    texts = [example.source for example in lab.examples] * 5
    alone = {text: post(client, "translate", text=text)["translations"][0] for text in set(texts)}
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda text: post(client, "translate", text=text)["translations"][0], texts))
    assert [each["hypotheses"][0]["text"] for each in together] == [alone[t]["hypotheses"][0]["text"] for t in texts]
    several = post(client, "translate", text=texts[:3])["translations"]
    assert [each["source"] for each in several] == texts[:3]


def test_clients_of_opennmt_are_answered(client: TestClient) -> None:
    answer = client.post("/translator/translate", json=[{"src": LIGHTS, "id": 0}, {"src": "Sing today", "id": 0}])
    [found] = answer.json()
    assert [set(each) for each in found] == [{"src", "tgt", "n_best", "pred_score"}] * 2
    assert found[0]["tgt"] == TRANSLATION
    assert client.get("/translator/models").json()[1]["name"] == "luong"


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        ("translate", {"text": "a " * (MAX_TOKENS + 1)}, 422, f"text: expected at most {MAX_TOKENS} tokens, got 201"),
        ("translate", {"text": LIGHTS, "beam": 11}, 422, "beam: "),
        ("translate", {"text": LIGHTS, "colour": 1}, 422, "colour: "),
        ("translate", {"text": ""}, 422, "text"),
        ("steps", {"text": "  "}, 422, "text: expected words, got none"),
        (
            "steps",
            {"text": LIGHTS, "model": "none"},
            422,
            "expected one of 'bahdanau', 'luong', 'luong-local', got 'none'",
        ),
        ("neighbours", {"text": LIGHTS, "layer": "state", "place": 0}, 422, "nmt-attn index RUN"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    client: TestClient, path: str, body: dict[str, Any], status: int, expected: str
) -> None:
    found, sentence = refusal(client.post(f"/api/{path}", json=body))
    assert found == status
    assert expected in sentence
    assert "\n" not in sentence


def test_a_large_body_is_not_read(client: TestClient) -> None:
    large = b'{"text": "' + b"a" * MAX_BODY_BYTES + b'"}'
    headers = {"content-type": "application/json"}
    assert client.post("/api/steps", content=large, headers=headers).status_code == 413

    def chunks() -> Iterator[bytes]:
        yield from (large[start : start + 1000] for start in range(0, len(large), 1000))

    assert client.post("/api/steps", content=chunks(), headers=headers).status_code == 413


def test_only_this_servers_own_page_is_answered(client: TestClient) -> None:
    def status(**headers: str) -> int:
        found: int = client.post("/api/steps", json={"text": LIGHTS}, headers=headers).status_code
        return found

    assert status() == 200
    assert status(host="localhost:8000") == 200
    assert status(host="[::1]:8000") == 200
    assert status(host="evil.example") == 403  # DNS rebinding
    assert status(origin="http://evil.example") == 403
    assert status(origin="http://127.0.0.1:8000") == 200
    text = json.dumps({"text": LIGHTS})
    assert client.post("/api/steps", content=text, headers={"content-type": "text/plain"}).status_code == 415


def test_a_server_that_others_reach_wants_its_token(lab: Lab) -> None:
    with TestClient(make_app(lab, "0.0.0.0", "secret"), "http://lab.example:8000") as client:
        assert client.get("/").status_code == 200  # the page has nothing of a model
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/models").status_code == 401
        assert client.get("/api/models", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/models", headers={"authorization": "Bearer secret"}).status_code == 200


def test_too_many_requests_are_refused(lab: Lab) -> None:
    busy = Lab(lab.models, limits=Limits(queue=0))
    with TestClient(make_app(busy), "http://127.0.0.1") as client:
        assert refusal(client.get("/api/models")) == (503, "the server is busy: 0 requests wait already")
    greedy = Lab(lab.models, limits=Limits(per_client=0))
    with TestClient(make_app(greedy), "http://127.0.0.1") as client:
        assert client.get("/api/models").status_code == 429
    slow = Lab(lab.models, limits=Limits(timeout_seconds=1e-4))
    with TestClient(make_app(slow), "http://127.0.0.1") as client:
        assert client.post("/api/steps", json={"text": LIGHTS}).status_code == 503


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/..%2fserver.py", "/static//etc/hosts", "/etc/hosts"])
def test_no_path_reaches_the_file_system(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/models", "/nothing"):
        assert set(client.get(path).headers.items()) >= {(name.lower(), value) for name, value in SECURITY.items()}
    page = client.get("/").text
    assert "script-src 'self'" in SECURITY["Content-Security-Policy"]
    assert "<script>" not in page
    assert " style=" not in page
    assert " on" + "click=" not in page


def test_the_schema_describes_every_post(client: TestClient) -> None:
    schema = client.get("/api/schema").json()
    assert set(schema) == {f"/api/{name}" for name in POSTS}
    assert all(each["additionalProperties"] is False for each in schema.values())


def test_malformed_requests_are_answered_in_4xx(client: TestClient) -> None:
    generator = random.Random(SEED)
    for number in range(1000):
        path, method, headers, content = malformed(generator)
        answer = client.request(method, path, content=content, headers=headers)
        assert 400 <= answer.status_code < 500, (number, path, content[:80], answer.status_code)
        if method != "HEAD":
            assert set(answer.json()) == {"error"}


def malformed(generator: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    """A request that is wrong somewhere."""
    path = f"/api/{generator.choice(POSTS)}"
    good: dict[str, Any] = {"text": LIGHTS, "source": LIGHTS, "target": LIGHTS}
    bad: list[Any] = [None, [], {}, -1, 1e400, "", "x" * 5000, [[[]]], {"0": "a"}, True, "\ud800", [1] * 300, 1 << 70]
    kind = generator.randrange(8)
    headers = {"content-type": "application/json"}
    if kind == 0:
        return path, "POST", headers, generator.randbytes(generator.randrange(200))
    if kind == 1:
        return path, generator.choice(["GET", "PUT", "DELETE", "PATCH"]), headers, b"{}"
    if kind == 2:
        return path, "POST", {"content-type": "text/html"}, json.dumps(good).encode()
    if kind == 3:
        return f"/{generator.randbytes(6).hex()}", "POST", headers, b"{}"
    if kind == 4:
        return path, "POST", headers, json.dumps(good).encode()[: generator.randrange(1, 40)]
    if kind == 7:
        items = generator.choice([[], [{}], [{"src": 1}], [{"src": ""}], {"src": "a"}, [{"src": "a", "id": "none"}]])
        return "/translator/translate", "POST", headers, json.dumps(items).encode()
    if kind == 5:
        return path, "POST", headers, b"[" * generator.randrange(1, 30_000)
    key = generator.choice(["text", "model", "beam", "prefix", "given", "source", "target", "threshold", "nonsense"])
    return path, "POST", headers, json.dumps({**good, "extra": 1, key: generator.choice(bad)}).encode()
