"""A number whose definition a user must guess is a defect: what the API says and what the pages say is one text."""

from __future__ import annotations

import pytest

from scripts.definition_pages import FOLDER, pages, sample_web
from shared.datasets.question import QUESTIONS
from shared.datasets.questions.definitions import compared_columns, names
from shared.datasets.questions.metrics import COLUMNS
from tests.web import Web


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    return sample_web(tmp_path_factory.mktemp("definitions"))


def test_the_pages_are_what_the_code_says_and_their_examples_what_it_answers(web):
    kept = {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.md")}
    made = pages(web)
    assert kept.keys() == made.keys()
    assert [path for path in made if kept[path] != made[path]] == []


def test_the_api_serves_the_text_of_the_page(web):
    for name in names():
        served = web.client.get(f"/v1/definitions/{name}").json()
        page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(served["text"])
        assert served["definition"]
    listed = web.client.get("/v1/definitions").json()["definitions"]
    assert [one["name"] for one in listed] == names()


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_every_column_of_an_answer_is_defined(web, name):
    question = QUESTIONS[name]
    answer = web.client.get(f"/v1/{name}", params=dict(question.example)).json()
    assert tuple(column["name"] for column in answer["columns"]) == question.columns
    assert set(question.columns) <= set(COLUMNS)
    parameters = question.model_json_schema(by_alias=True)["properties"]
    if "compare" in parameters:
        compared = {"from": "2011-11-01", "to": "2011-12-01", **question.example, "compare": "previous_year"}
        columns = web.client.get(f"/v1/{name}", params=compared).json()["columns"]
        suffixed = [f"{name}{suffix}" for name in compared_columns(question) for suffix in ("_previous", "_change")]
        assert suffixed
        assert set(compared_columns(question)) <= set(question.columns)
        # What is answered anyway is not there twice.
        assert [column["name"] for column in columns] == [*dict.fromkeys([*question.columns, *suffixed])]
    assert bool(question.group_columns) == ("group_by" in parameters)
    if question.group_columns:
        grouped = web.client.get(f"/v1/{name}", params={**question.example, "group_by": "country"}).json()
        assert sorted(column["name"] for column in grouped["columns"]) == sorted(
            [*question.columns, *question.group_columns]
        )


def test_every_column_has_a_formula_and_a_question_that_answers_it():
    answered = {column for question in QUESTIONS.values() for column in (*question.columns, *question.group_columns)}
    assert answered == set(COLUMNS)
    assert all(metric.meaning and metric.formula for metric in COLUMNS.values())


def test_what_is_not_defined_is_not_found(web):
    answer = web.client.get("/v1/definitions/happiness")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_question")
