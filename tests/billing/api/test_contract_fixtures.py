"""Every endpoint against the examples of its documentation: keys, formats and nesting."""

from __future__ import annotations

import pytest
from support.wire import Fixture, api_of, day_of, differences, fixtures, prepare

ENDPOINTS = [f for f in fixtures() if f.data.get("direction") != "outgoing"]


@pytest.mark.django_db
@pytest.mark.parametrize("fixture", ENDPOINTS, ids=lambda f: f.name)
def test_the_endpoint_answers_as_documented(fixture: Fixture, account, today):
    today(day_of(fixture))
    prepare(fixture, account)
    request = fixture.request
    api = api_of(account)

    if request["method"] == "GET":
        answer = api.get(request["path"], request.get("query") or {})
    else:
        answer = api.call(request["method"], request["path"], request.get("json"))

    assert answer.status_code == fixture.response["status"], answer.content
    expected = fixture.response["json"]
    if expected is None:
        assert answer.content == b""
        return
    assert differences(expected, answer.json(), set(fixture.data.get("volatile", []))) == []
