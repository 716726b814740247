"""The lecture of docs/lab.md, played through with the models of the package."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from nmt_attn import show

PAGE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
SCENES = re.findall(
    r"^\| \d+ \| \[([^\]]+)\]\(http://127\.0\.0\.1:8000/#([^)]+)\) \| (.+) \|$", PAGE, flags=re.MULTILINE
)


def test_there_are_ten_minutes() -> None:
    assert len(SCENES) == 9
    assert SCENES[-1][0] == "a long one"


@pytest.mark.parametrize(("name", "address", "text"), SCENES, ids=[name for name, _, _ in SCENES])
def test_a_scene_shows_what_the_script_says(name: str, address: str, text: str) -> None:
    fields = {key: values[0] for key, values in parse_qs(address).items()}
    found = []
    for side in "ab":
        given = json.loads(fields.get(f"g{side}", "{}"))
        trace = show.load(fields[side]).trace(
            fields["s"],
            beam=int(fields["k"]),
            prefix=json.loads(fields.get(f"f{side}", "[]")),
            given={int(step): weights for step, weights in given.items()},
        )
        found.append(trace)
    said = [quoted for quoted in re.findall(r'"([^"]+)"', text) if re.search("[\u0900-\u097f]", quoted)]
    for quoted in said:
        assert quoted in [trace.text for trace in found]
    for j, score in re.findall(r"e_1(\d) = ([\d.]+)", text):
        look = found[0].steps[0].look
        assert look is not None
        assert f"{float(look.scores[0, int(j) - 1]):.1f}" == score
    if name in ("the sentence", "a long one"):
        assert len({trace.text for trace in found}) == 1
    if name == "force a word":
        assert found[0].text.count("बंद करो") >= 2  # again and again
    if name == "the third word":
        for trace in found:
            third = trace.weights[2]
            assert trace.source[:2] == ("Turn", "off")
            assert float(third[:2].sum()) > 0.8
            assert float(third[:2].min()) > 0.2
